-- Encrypted files under way. No row names an account: who uploads is known by a keyed hash of account and day, and until the upload is complete.

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
CREATE INDEX media_by_deadline ON media (expires_at);
CREATE INDEX media_by_charge ON media (charged_to);

-- Downloads that have begun: what was granted is not lost with a connection.
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
