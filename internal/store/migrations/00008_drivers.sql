-- +goose Up
-- What the INF files of a driver package say.
CREATE TABLE drivers (
  package_id TEXT PRIMARY KEY,
  doc TEXT NOT NULL
);

-- +goose Down
DROP TABLE drivers;
