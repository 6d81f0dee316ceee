-- +goose Up
-- When a device last said that it will not run a deployment again (RRN-9).
CREATE TABLE skips (
  deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
  device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (deployment_id, device_id)
);

-- +goose Down
DROP TABLE skips;
