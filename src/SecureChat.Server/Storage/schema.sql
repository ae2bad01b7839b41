-- What all migrations together come to. A test compares it; do not edit it by hand.

CREATE TABLE accounts (
    account BYTEA NOT NULL PRIMARY KEY,
    identity_key BYTEA NOT NULL,
    -- HMAC-SHA-256 of the e-mail address or number under the identifier key; NULL: signed up by invite alone.
    identifier_hash BYTEA UNIQUE,
    discoverable BIGINT NOT NULL,
    username_hash BYTEA UNIQUE,
    username_link BYTEA UNIQUE,
    username_encrypted BYTEA,
    lock_salt BYTEA,
    lock_hash BYTEA,
    lock_failures BIGINT NOT NULL,
    lock_retry_at BIGINT,
    created_day BIGINT NOT NULL,
    last_seen_day BIGINT NOT NULL,
    device_list BYTEA
);

CREATE TABLE backup_chunks (
    -- Name of the blob.
    blob BYTEA NOT NULL PRIMARY KEY,
    backup BYTEA NOT NULL,
    upload BYTEA NOT NULL,
    number BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    -- 0 until the blob is whole.
    is_stored BIGINT NOT NULL,
    stored_day BIGINT NOT NULL
);

CREATE INDEX backup_chunks_by_backup ON backup_chunks (backup, upload, number);

CREATE INDEX backup_chunks_by_day ON backup_chunks (stored_day);

CREATE TABLE backups (
    -- Hash of the backup's public key.
    id BYTEA NOT NULL PRIMARY KEY,
    -- 0: chunks are on their way to the first version.
    version BIGINT NOT NULL,
    upload BYTEA,
    chunks BIGINT NOT NULL,
    manifest BYTEA NOT NULL,
    used_day BIGINT NOT NULL
);

CREATE INDEX backups_by_day ON backups (used_day);

CREATE TABLE device_keys (
    account BYTEA NOT NULL,
    device BIGINT NOT NULL,
    signed_id BIGINT NOT NULL,
    signed_key BYTEA NOT NULL,
    signed_signature BYTEA NOT NULL,
    signed_at BIGINT NOT NULL,
    last_resort_id BIGINT NOT NULL,
    last_resort_key BYTEA NOT NULL,
    last_resort_signature BYTEA NOT NULL,
    last_resort_at BIGINT NOT NULL,
    PRIMARY KEY (account, device),
    FOREIGN KEY (account, device) REFERENCES devices (account, device) ON DELETE CASCADE
);

CREATE TABLE devices (
    account BYTEA NOT NULL REFERENCES accounts (account) ON DELETE CASCADE,
    device BIGINT NOT NULL,
    -- Random; access tokens carry it, and die when it changes or goes.
    epoch BIGINT NOT NULL UNIQUE,
    registration_id BIGINT NOT NULL,
    name BYTEA,
    capabilities TEXT NOT NULL,
    created_day BIGINT NOT NULL,
    last_seen_day BIGINT NOT NULL,
    PRIMARY KEY (account, device)
);

CREATE TABLE ended_epochs (
    epoch BIGINT NOT NULL PRIMARY KEY,
    ended_at BIGINT NOT NULL
);

CREATE INDEX ended_epochs_by_time ON ended_epochs (ended_at);

CREATE TABLE group_states (
    -- Hash of the group's public key.
    id BYTEA NOT NULL PRIMARY KEY,
    -- Hash of the admins' public key; NULL: all members may write.
    admin BYTEA,
    version BIGINT NOT NULL,
    state BYTEA NOT NULL,
    -- Hash of the invite link's public key, and what the link shows; NULL: nobody may ask to join.
    link BYTEA,
    preview BYTEA,
    used_day BIGINT NOT NULL
);

CREATE UNIQUE INDEX group_states_by_admin ON group_states (admin);

CREATE INDEX group_states_by_day ON group_states (used_day);

CREATE UNIQUE INDEX group_states_by_link ON group_states (link);

CREATE TABLE invites (
    -- Names the invite to its operator; the code itself is kept only as a hash.
    invite TEXT NOT NULL PRIMARY KEY,
    code_hash BYTEA NOT NULL UNIQUE,
    uses BIGINT NOT NULL,
    used BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE join_requests (
    id BYTEA NOT NULL PRIMARY KEY,
    group_id BYTEA NOT NULL REFERENCES group_states (id) ON DELETE CASCADE,
    request BYTEA NOT NULL,
    asked_day BIGINT NOT NULL
);

CREATE INDEX join_requests_by_day ON join_requests (asked_day);

CREATE INDEX join_requests_by_group ON join_requests (group_id);

CREATE TABLE media (
    -- SHA-256 of the id that people download it by; also its name in the blob store.
    blob BYTEA NOT NULL PRIMARY KEY,
    length BIGINT NOT NULL,
    -- 0: being uploaded. 1: complete. 2: gone, and kept for a while to say so.
    state BIGINT NOT NULL,
    downloads BIGINT NOT NULL,
    claimed BIGINT NOT NULL,
    life_minutes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- The counter that it was charged to; NULL once it is complete.
    charged_to BYTEA
);

CREATE INDEX media_by_charge ON media (charged_to);

CREATE INDEX media_by_deadline ON media (expires_at);

CREATE TABLE media_claims (
    -- SHA-256 of the claim.
    claim BYTEA NOT NULL PRIMARY KEY,
    blob BYTEA NOT NULL REFERENCES media (blob) ON DELETE CASCADE,
    sent BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);

CREATE INDEX media_claims_by_blob ON media_claims (blob);

CREATE TABLE media_quotas (
    -- Keyed hash of account and day.
    counter BYTEA NOT NULL PRIMARY KEY,
    day BIGINT NOT NULL,
    bytes BIGINT NOT NULL
);

CREATE TABLE one_time_keys (
    account BYTEA NOT NULL,
    device BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    key_id BIGINT NOT NULL,
    public_key BYTEA NOT NULL,
    signature BYTEA,
    PRIMARY KEY (account, device, kind, key_id),
    FOREIGN KEY (account, device) REFERENCES devices (account, device) ON DELETE CASCADE
);

CREATE TABLE push_subscriptions (
    account BYTEA NOT NULL,
    device BIGINT NOT NULL,
    -- Kind, endpoint or token, and keys, under AES-256-GCM with the push key; padded.
    sealed BYTEA NOT NULL,
    PRIMARY KEY (account, device),
    FOREIGN KEY (account, device) REFERENCES devices (account, device) ON DELETE CASCADE
);

CREATE TABLE refresh_tokens (
    account BYTEA NOT NULL,
    device BIGINT NOT NULL,
    family_hash BYTEA NOT NULL UNIQUE,
    token_hash BYTEA NOT NULL,
    previous_hash BYTEA,
    rotated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account, device),
    FOREIGN KEY (account, device) REFERENCES devices (account, device) ON DELETE CASCADE
);

CREATE TABLE reports (
    -- Hash of reporter and message: a message is reported once.
    report BYTEA NOT NULL PRIMARY KEY,
    -- Who sent the message; NULL: it was sealed. Goes with the account.
    account BYTEA REFERENCES accounts (account) ON DELETE CASCADE,
    reported_day BIGINT NOT NULL,
    evidence BYTEA
);

CREATE INDEX reports_by_account ON reports (account);

CREATE INDEX reports_by_day ON reports (reported_day);

CREATE TABLE send_policies (
    account BYTEA NOT NULL PRIMARY KEY REFERENCES accounts (account) ON DELETE CASCADE,
    -- Keyed hash of the 16-byte access key; NULL: there is none.
    access_key_hash BYTEA,
    anyone BIGINT NOT NULL,
    -- Keyed hashes of 16 bytes each, one behind the other: delivery tokens, and blocked accounts.
    tokens BYTEA NOT NULL,
    blocked BYTEA NOT NULL
);
