// Package store keeps the site's facts in one SQLite database: devices,
// collections, sequences, deployments, runs, boots, tokens, due work and the
// records of what happened. It decides nothing; internal/site does.
//
// Reads run side by side on their own connections. Writes go through one
// writer that puts those waiting at the same moment into one transaction, each
// behind a savepoint, so a thousand machines reporting at once cost a few disk
// syncs. The journal is a write-ahead log and every commit is synced to disk
// (synchronous=FULL): the ledger and the single-use tokens must survive a power
// cut, or a machine could be reimaged a second time.
package store
