package cache

import (
	"os"
	"path/filepath"
	"strings"
)

// Sweep deletes what builds that were killed left in a locked cache: entries that
// begin with one of the prefixes, and temporary files of Replace. It returns what
// could not be deleted; that stands in nobody's way.
func Sweep(dir string, prefixes ...string) (left []string) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, n := range names {
		stale := strings.HasPrefix(n.Name(), ".")
		for _, p := range prefixes {
			stale = stale || strings.HasPrefix(n.Name(), p)
		}
		if stale && os.RemoveAll(filepath.Join(dir, n.Name())) != nil {
			left = append(left, filepath.Join(dir, n.Name()))
		}
	}
	return left
}
