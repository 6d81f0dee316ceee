-- +goose Up
-- Images that runs capture into the appliance (IMG-1).
CREATE TABLE captures (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL,
  expires INTEGER NOT NULL,
  waiting INTEGER NOT NULL,
  doc TEXT NOT NULL
);
CREATE INDEX captures_run ON captures (run_id);
CREATE INDEX captures_expires ON captures (expires);
CREATE INDEX captures_waiting ON captures (waiting);

-- +goose Down
DROP TABLE captures;
