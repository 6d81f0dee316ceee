package agent

import (
	"path/filepath"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/wire"
)

// content brings, or finds, what the steps of the run need.
func (j *job) content() *contentStore {
	store := j.kit.contentStore(j.downloading, func(id string, stats client.Stats) {
		j.outbox.Post(wire.Event{Time: j.clock.Now().UTC(), Kind: wire.EventContent, Severity: "info", Pointer: -1, Package: id,
			Bytes: stats.Bytes, Hashes: stats.HashesChecked, Text: "from " + stats.LastSource})
	})
	store.dir = func() string { return filepath.Join(j.dataDir(), "Packages") }
	store.together = j.run.Packages
	if j.run.Option == wire.DirectFromDP {
		store.place = &inPlace{folders: j.local.Folders, used: func(id, location string) {
			j.outbox.Post(wire.Event{Time: j.clock.Now().UTC(), Kind: wire.EventContent, Severity: "warning", Pointer: -1, Package: id,
				Text: "run from " + location + ", its hash is not verified (DOP-15)"})
		}}
	}
	return store
}

// contentStore brings packages to the state folder. began and what it returns are told of every download; done may be nil.
func (k *kit) contentStore(began func(string) (ended func()), done fetched) *contentStore {
	return &contentStore{
		line: k.line, http: k.http, base: k.client.Base(), token: k.client.Token, clock: k.clock, wait: k.backoff, retry: k.retry,
		dir: func() string { return filepath.Join(k.dir, "Packages") }, cache: k.clientCache(), cacheLimit: k.cacheLimit, say: k.console.Say, logger: k.log, began: began,
		done: func(id string, stats client.Stats) {
			k.console.Say("  package %s is here: %.1f MB downloaded, %d hashes checked", id, float64(stats.Bytes)/1e6, stats.HashesChecked)
			if done != nil {
				done(id, stats)
			}
		},
	}
}
