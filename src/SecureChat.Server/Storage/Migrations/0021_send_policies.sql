-- Who may send to an account, and what was reported. No row: nobody may send sealed messages, and nobody is blocked.

CREATE TABLE send_policies (
    account BYTEA NOT NULL PRIMARY KEY REFERENCES accounts (account) ON DELETE CASCADE,
    -- Keyed hash of the 16-byte access key; NULL: there is none.
    access_key_hash BYTEA,
    anyone BIGINT NOT NULL,
    -- Keyed hashes of 16 bytes each, one behind the other: delivery tokens, and blocked accounts.
    tokens BYTEA NOT NULL,
    blocked BYTEA NOT NULL
);

-- Kept for the operator for 30 days.
CREATE TABLE reports (
    -- Hash of reporter and message: a message is reported once.
    report BYTEA NOT NULL PRIMARY KEY,
    -- Who sent the message; NULL: it was sealed. Goes with the account.
    account BYTEA REFERENCES accounts (account) ON DELETE CASCADE,
    reported_day BIGINT NOT NULL,
    evidence BYTEA
);
CREATE INDEX reports_by_day ON reports (reported_day);
CREATE INDEX reports_by_account ON reports (account);
