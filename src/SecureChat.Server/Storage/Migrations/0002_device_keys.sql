-- The keys that every device has from its first moment: a signed prekey and a last-resort Kyber prekey.

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
