package cache

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// Sweep deletes what builds that were killed left in a locked cache: entries that
// begin with one of the prefixes, and temporary files of Replace. What has
// something mounted in it is left alone, because that could be the machine's own
// /dev. It returns what was not deleted; that stands in nobody's way.
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
		name := filepath.Join(dir, n.Name())
		if stale && (mounted(name) || os.RemoveAll(name) != nil) {
			left = append(left, name)
		}
	}
	return left
}

// SweepTemporary deletes what a killed Replace or LinkFile of the named files
// left beside them in dir, where other people's files may be. The caller holds
// the lock of those who write there.
func SweepTemporary(dir string, files ...string) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, n := range names {
		for _, f := range files {
			if strings.HasPrefix(n.Name(), "."+f+".") {
				_ = os.RemoveAll(filepath.Join(dir, n.Name())) // stands in nobody's way
			}
		}
	}
}

// mounted says whether anything is mounted at or below name; when that cannot be
// known, it is.
func mounted(name string) bool {
	abs, err := filepath.Abs(name)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	table, readErr := os.ReadFile("/proc/self/mountinfo")
	if err != nil || readErr != nil {
		return true
	}
	for line := range bytes.Lines(table) {
		// proc(5): the fifth field is the mount point, with blanks in octal
		if f := bytes.Fields(line); len(f) > 4 {
			at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(string(f[4]))
			if at == abs || strings.HasPrefix(at, abs+"/") {
				return true
			}
		}
	}
	return false
}
