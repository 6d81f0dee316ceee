-- +goose Up
-- What a device's agent gathered when its latest run began; YAML.
CREATE TABLE device_facts (
  device_id TEXT PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
  gathered INTEGER NOT NULL,
  sheet TEXT NOT NULL
);

-- +goose Down
DROP TABLE device_facts;
