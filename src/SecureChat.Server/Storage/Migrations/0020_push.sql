-- How to wake a device that has no connection: one registration per device.

CREATE TABLE push_subscriptions (
    account BYTEA NOT NULL,
    device BIGINT NOT NULL,
    -- Kind, endpoint or token, and keys, under AES-256-GCM with the push key; padded.
    sealed BYTEA NOT NULL,
    PRIMARY KEY (account, device),
    FOREIGN KEY (account, device) REFERENCES devices (account, device) ON DELETE CASCADE
);
