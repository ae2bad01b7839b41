-- One-time prekeys. Handing one out deletes its row. kind: 1 X25519, 2 Kyber1024 (signed).

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
