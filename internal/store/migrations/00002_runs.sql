-- +goose Up
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  device_id TEXT NOT NULL,
  claim_key TEXT NOT NULL,
  deployment_id TEXT NOT NULL,
  sequence_id TEXT NOT NULL,
  sequence_version INTEGER NOT NULL,
  state TEXT NOT NULL,
  media_id TEXT NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  doc TEXT NOT NULL,
  UNIQUE (device_id, claim_key)
);
CREATE INDEX runs_device ON runs (device_id, started);
CREATE INDEX runs_deployment ON runs (deployment_id, device_id);
CREATE INDEX runs_state ON runs (state);
CREATE INDEX runs_started ON runs (started);
-- One active run per device, whatever the races are (PXE-10a).
CREATE UNIQUE INDEX runs_active ON runs (device_id) WHERE state = 'running';
CREATE TABLE checkpoints (
  run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  awaits TEXT NOT NULL,
  state BLOB NOT NULL
);
CREATE TABLE run_events (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  doc TEXT NOT NULL,
  PRIMARY KEY (run_id, number)
);
CREATE INDEX run_events_kind ON run_events (run_id, kind, number);
CREATE TABLE boots (
  id TEXT PRIMARY KEY,
  device_id TEXT NOT NULL,
  mac TEXT NOT NULL,
  started INTEGER NOT NULL,
  last INTEGER NOT NULL,
  doc TEXT NOT NULL
);
CREATE INDEX boots_mac ON boots (mac, last);
CREATE INDEX boots_device ON boots (device_id, last);
CREATE INDEX boots_last ON boots (last);
-- subject: a device id, or mac:/uuid: of a machine that is not known (PXE-19).
CREATE TABLE ledger (
  subject TEXT NOT NULL,
  deployment_id TEXT NOT NULL,
  handed INTEGER NOT NULL,
  retry INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (subject, deployment_id)
);
CREATE TABLE tokens (
  hash TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  expires INTEGER NOT NULL,
  used INTEGER NOT NULL,
  revoked INTEGER NOT NULL,
  last_used INTEGER NOT NULL,
  doc TEXT NOT NULL
);
CREATE INDEX tokens_subject ON tokens (kind, subject);
CREATE INDEX tokens_expires ON tokens (expires);
-- Timed work: one row per occurrence, claimed by a conditional update.
CREATE TABLE due (
  work_key TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  claimed_by TEXT NOT NULL,
  claimed_at INTEGER NOT NULL,
  done_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  doc TEXT NOT NULL
);
CREATE INDEX due_open ON due (done_at, due_at);
CREATE TABLE media (
  id TEXT PRIMARY KEY,
  doc TEXT NOT NULL
);
CREATE TABLE messages (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  doc TEXT NOT NULL
);
CREATE INDEX messages_kind ON messages (kind, number);
CREATE TABLE alerts (
  alert_key TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  last INTEGER NOT NULL,
  doc TEXT NOT NULL
);
CREATE TABLE wake_records (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  doc TEXT NOT NULL
);

-- +goose Down
DROP TABLE wake_records;
DROP TABLE alerts;
DROP TABLE messages;
DROP TABLE media;
DROP TABLE due;
DROP TABLE tokens;
DROP TABLE ledger;
DROP TABLE boots;
DROP TABLE run_events;
DROP TABLE checkpoints;
DROP TABLE runs;
