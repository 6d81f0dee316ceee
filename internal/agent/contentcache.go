package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/tsengine/machine"
)

const (
	// clientCacheFolder is below the state folder of an installed agent; _SMSTSClientCache names it (TS-136).
	clientCacheFolder = "ClientCache"
	// DefaultClientCache in bytes is the bound of the client cache unless the agent's settings have another; that of
	// Configuration Manager's.
	DefaultClientCache = 5120 << 20
)

// clientCache is the folder of the client cache, empty in a boot environment.
func (k *kit) clientCache() string {
	if k.cacheLimit <= 0 {
		return ""
	}
	return filepath.Join(k.dir, clientCacheFolder)
}

// holding is what a contentStore knows of the content that it brought. Part of it survives restarts (machine.Stateful).
type holding struct {
	// Kept is never removed for want of room, Preserved goes into the client cache of the system that the run makes.
	Kept      []string `json:"kept,omitempty"`
	Preserved []string `json:"preserved,omitempty"`

	step    any
	current []string        // of that step
	hashed  map[string]bool // packages of the client cache that this run has read
}

// asked notes what a step wants.
func (h *holding) asked(r machine.ContentRequest) {
	if r.Step != h.step {
		h.step, h.current = r.Step, nil
	}
	h.current = append(h.current, r.PackageID)
	if r.Keep && !slices.Contains(h.Kept, r.PackageID) {
		h.Kept = append(h.Kept, r.PackageID)
	}
	if r.Preserve && !slices.Contains(h.Preserved, r.PackageID) {
		h.Preserved = append(h.Preserved, r.PackageID)
	}
}

// State implements machine.Stateful.
func (s *contentStore) State() (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(s.holding)
}

// Restore implements machine.Stateful.
func (s *contentStore) Restore(state json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.Unmarshal(state, &s.holding); err != nil {
		return fmt.Errorf("read what is known of the content: %w", err)
	}
	return nil
}

// bring fetches to where the content belongs: the client cache when it is there already or is to stay, else the cache of
// the run, where content of earlier steps makes room (TS-136).
func (s *contentStore) bring(ctx context.Context, r machine.ContentRequest, request client.Request) (dir string, stats client.Stats, removed []string, err error) {
	cached := s.cache != "" && client.Has(s.cache, request.Manifest)
	if s.cache != "" && !cached && r.Preserve {
		cached, err = s.cacheRoom(request.Manifest.PackageID, request.Manifest.TotalSize)
		if err != nil {
			return "", stats, nil, err
		}
	}
	if cached {
		request.Dir = s.cache
		if r.Step != nil && !s.trusted(request.Manifest.PackageID) {
			request.Recheck = client.RecheckHash // it may have lain there for months
		}
		dir, stats, err = client.Fetch(ctx, request)
		return dir, stats, nil, err
	}
	for {
		dir, stats, err = client.Fetch(ctx, request)
		var full *client.SpaceError
		if !errors.As(err, &full) {
			return dir, stats, removed, err
		}
		id, more := s.release(request.Dir)
		if more != nil || id == "" {
			return "", stats, removed, errors.Join(err, more)
		}
		removed = append(removed, id)
	}
}

// trusted reports whether a package of the client cache was read and hashed by this run before.
func (s *contentStore) trusted(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.hashed[id]
	if s.hashed == nil {
		s.hashed = map[string]bool{}
	}
	s.hashed[id] = true
	return known
}

// cacheRoom makes room in the client cache. Of a run, content that does not fit stays in the run's own cache; content that
// is fetched ahead has no other place (DOP-12).
func (s *contentStore) cacheRoom(id string, bytes int64) (bool, error) {
	removed, err := client.Trim(s.cache, s.cacheLimit, bytes, func(c client.Cached) bool { return slices.Contains(s.together, c.PackageID) })
	for _, c := range removed {
		s.say("  package %s left the client cache: %.1f MB, last used %s", c.PackageID, float64(c.Bytes)/1e6, c.Used.Format("2006-01-02"))
	}
	var full *client.SpaceError
	if errors.As(err, &full) {
		full.PackageID = id
		err = fmt.Errorf("the client cache may hold %d MB: %w", s.cacheLimit>>20, err)
		if !s.ahead {
			s.say("package %s is not preserved: %v", id, err)
			return false, nil
		}
	}
	return err == nil, err
}

// release removes the content of one earlier step from the cache of the run, and returns its package; empty when there is
// nothing that may go.
func (s *contentStore) release(dir string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := client.List(dir)
	if err != nil {
		return "", err
	}
	for _, c := range list {
		if slices.Contains(s.Kept, c.PackageID) || slices.Contains(s.current, c.PackageID) {
			continue
		}
		ok, err := client.Remove(dir, c.Name)
		if err != nil {
			return "", err
		}
		if ok {
			s.say("  package %s was removed to make room: %.1f MB", c.PackageID, float64(c.Bytes)/1e6)
			return c.PackageID, nil
		}
	}
	return "", nil
}

// preserve moves content that is to stay into the client cache of the system on the target's disk (TS-136). What cannot be
// moved is fetched again when it is needed.
func (j *job) preserve(ctx context.Context) {
	if j.store == nil {
		return
	}
	j.store.mu.Lock()
	wanted := slices.Clone(j.store.Preserved)
	j.store.mu.Unlock()
	list, err := client.List(j.store.dir())
	if err != nil {
		j.console.Say("content is not preserved: %v", err)
		return
	}
	for _, c := range list {
		if !slices.Contains(wanted, c.PackageID) {
			continue
		}
		if err := j.target.KeepContent(ctx, j.store.dir(), filepath.Join(clientCacheFolder, c.Name)); err != nil {
			j.console.Say("package %s is not preserved: %v", c.PackageID, err)
		}
	}
}

// clearContent empties the cache of a run that has ended; what is to stay is in the client cache.
func (k *kit) clearContent() {
	if err := os.RemoveAll(filepath.Join(k.dir, "Packages")); err != nil {
		k.log.Warn("the run's content stays on the disk", "err", err)
	}
}

// Remove implements machine.ContentRemover: for the cache of the run only, and for nothing that is to be kept or preserved
// (TS-136).
func (s *contentStore) Remove(_ context.Context, packageID string) (bool, error) {
	if s.place != nil {
		return false, nil // it lies on the share
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.Kept, packageID) || slices.Contains(s.Preserved, packageID) {
		return false, nil
	}
	entries, err := os.ReadDir(s.dir())
	if err != nil {
		return false, fmt.Errorf("look at the content of the run: %w", err)
	}
	gone := false
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), packageID+".") {
			continue
		}
		removed, err := client.Remove(s.dir(), entry.Name())
		if err != nil {
			return gone, err
		}
		gone = gone || removed
	}
	return gone, nil
}
