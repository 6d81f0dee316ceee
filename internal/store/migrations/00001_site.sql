-- +goose Up
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
CREATE TABLE secrets (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
);
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  next_value INTEGER NOT NULL
);
CREATE TABLE devices (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  uuid TEXT NOT NULL,
  arch TEXT NOT NULL,
  last_seen INTEGER NOT NULL,
  doc TEXT NOT NULL
);
CREATE INDEX devices_uuid ON devices (uuid);
CREATE INDEX devices_name ON devices (name);
CREATE INDEX devices_kind ON devices (kind, arch);
CREATE TABLE device_macs (
  mac TEXT NOT NULL,
  device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  PRIMARY KEY (mac, device_id)
);
CREATE INDEX device_macs_device ON device_macs (device_id);
-- Identifiers that say nothing about which machine it is (PXE-5), and MACs
-- that get no answer at all (PXE-4). kind: uuid, mac, excluded.
CREATE TABLE ignored_ids (
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (kind, value)
);
CREATE TABLE collections (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  limiting_id TEXT NOT NULL,
  doc TEXT NOT NULL
);
CREATE TABLE collection_members (
  collection_id TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
  PRIMARY KEY (collection_id, device_id)
);
CREATE INDEX collection_members_device ON collection_members (device_id);
CREATE TABLE variables (
  owner_kind TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  name_key TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  hidden INTEGER NOT NULL,
  PRIMARY KEY (owner_kind, owner_id, name_key)
);
CREATE TABLE packages (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  doc TEXT NOT NULL
);
CREATE TABLE boot_images (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  doc TEXT NOT NULL
);
CREATE TABLE sequences (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  doc TEXT NOT NULL
);
-- A run keeps the version that it started with.
CREATE TABLE sequence_versions (
  sequence_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  xml TEXT NOT NULL,
  PRIMARY KEY (sequence_id, version)
);
CREATE TABLE deployments (
  id TEXT PRIMARY KEY,
  sequence_id TEXT NOT NULL,
  collection_id TEXT NOT NULL,
  purpose TEXT NOT NULL,
  doc TEXT NOT NULL
);
CREATE INDEX deployments_collection ON deployments (collection_id);
CREATE INDEX deployments_sequence ON deployments (sequence_id);

-- +goose Down
DROP TABLE deployments;
DROP TABLE sequence_versions;
DROP TABLE sequences;
DROP TABLE boot_images;
DROP TABLE packages;
DROP TABLE variables;
DROP TABLE collection_members;
DROP TABLE collections;
DROP TABLE ignored_ids;
DROP TABLE device_macs;
DROP TABLE devices;
DROP TABLE counters;
DROP TABLE secrets;
DROP TABLE settings;
