-- +goose Up
CREATE TABLE applications (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  doc TEXT NOT NULL
);
-- The user state of a device. Its pieces are files, encrypted with a key of its own that is only here.
CREATE TABLE user_states (
  id TEXT PRIMARY KEY,
  source_id TEXT NOT NULL,
  target_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  expires INTEGER NOT NULL,
  secret BLOB NOT NULL,
  doc TEXT NOT NULL
);
CREATE INDEX user_states_target ON user_states (target_id);
CREATE INDEX user_states_run ON user_states (run_id);
CREATE INDEX user_states_expires ON user_states (expires);

-- +goose Down
DROP TABLE user_states;
DROP TABLE applications;
