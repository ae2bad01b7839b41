-- What the account's own devices say which of them there are, signed by the identity key. NULL: they have not said it.

ALTER TABLE accounts ADD COLUMN device_list BYTEA;
