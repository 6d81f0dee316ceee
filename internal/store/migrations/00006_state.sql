-- +goose Up
-- Whom the user state of a device is for (USM-3); it outlives the state (USM-6).
CREATE TABLE state_associations (
  source_id TEXT PRIMARY KEY,
  target_id TEXT NOT NULL
);

-- +goose Down
DROP TABLE state_associations;
