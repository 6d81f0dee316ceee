package library

import (
	"bytes"
	"slices"
	"sync"

	"github.com/bootyard/bootyard/content"
)

// maxHoldings is how many hashes of manifests are kept in memory, 32 bytes each: enough for what a lab deploys in a day,
// small beside the appliance's 64 MiB. One manifest that is larger is kept alone.
const maxHoldings = 1 << 17

// version names one manifest.
type version struct {
	packageID string
	number    int
}

// holdings remembers which files a version has, so that a download of a thousand small files reads the manifest once.
type holdings struct {
	mu    sync.Mutex
	sets  map[version]*holding
	limit int // of hashes in all sets
	total int
	uses  uint64
}

type holding struct {
	hashes []content.Hash // sorted
	used   uint64
}

func compareHash(a, b content.Hash) int { return bytes.Compare(a[:], b[:]) }

// Holds tells whether that version of a package has the file. It is what to ask before a file is served to somebody who may
// have that package and no other. The error wraps ErrNotFound when there is no such version.
func (l *Library) Holds(packageID string, number int, h content.Hash) (bool, error) {
	k := &l.held
	key := version{packageID, number}
	// The lock is held while the manifest is read: a thousand machines that come for the same package have it read once,
	// and a manifest that is removed meanwhile is forgotten after it was remembered, never before.
	k.mu.Lock()
	defer k.mu.Unlock()
	set := k.sets[key]
	if set == nil {
		_, m, err := l.ManifestVersion(packageID, number)
		if err != nil {
			return false, err
		}
		set = k.keep(key, m)
	}
	k.uses++
	set.used = k.uses
	_, found := slices.BinarySearchFunc(set.hashes, h, compareHash)
	return found, nil
}

func (k *holdings) keep(key version, m content.Manifest) *holding {
	set := &holding{hashes: make([]content.Hash, 0, len(m.Files))}
	for _, file := range m.Files {
		set.hashes = append(set.hashes, file.SHA256)
	}
	slices.SortFunc(set.hashes, compareHash)
	for len(k.sets) > 0 && k.total+len(set.hashes) > k.limit {
		var oldest version
		for other, s := range k.sets {
			if o := k.sets[oldest]; o == nil || s.used < o.used {
				oldest = other
			}
		}
		k.drop(oldest)
	}
	k.sets[key] = set
	k.total += len(set.hashes)
	return set
}

func (k *holdings) drop(key version) {
	if set := k.sets[key]; set != nil {
		k.total -= len(set.hashes)
		delete(k.sets, key)
	}
}

// forget is called after a manifest was written or removed.
func (k *holdings) forget(packageID string, number int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(version{packageID, number})
}
