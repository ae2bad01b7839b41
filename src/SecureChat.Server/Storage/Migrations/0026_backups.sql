-- Encrypted backups. No row names an account. The chunks lie in the blob store.

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
