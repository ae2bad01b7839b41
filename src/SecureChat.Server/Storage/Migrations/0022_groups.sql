-- What members of a group share, as ciphertext. No row names an account, and none names a member.

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
CREATE UNIQUE INDEX group_states_by_link ON group_states (link);
CREATE UNIQUE INDEX group_states_by_admin ON group_states (admin);
CREATE INDEX group_states_by_day ON group_states (used_day);

CREATE TABLE join_requests (
    id BYTEA NOT NULL PRIMARY KEY,
    group_id BYTEA NOT NULL REFERENCES group_states (id) ON DELETE CASCADE,
    request BYTEA NOT NULL,
    asked_day BIGINT NOT NULL
);
CREATE INDEX join_requests_by_group ON join_requests (group_id);
CREATE INDEX join_requests_by_day ON join_requests (asked_day);
