package apply

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Fold finds a path whatever the case of its letters: NTFS keeps what Windows wrote, and Linux compares exactly. The path
// of what is there comes back with the rest as asked for; all says whether there is all of it.
func Fold(root *os.Root, path string) (found string, all bool) {
	dir := "."
	parts := strings.Split(path, "/")
	for i, part := range parts {
		f, err := root.Open(dir)
		if err != nil {
			return filepath.Join(dir, filepath.Join(parts[i:]...)), false
		}
		names, err := f.Readdirnames(-1)
		_ = f.Close() // only read from
		match := ""
		for _, n := range names {
			if n == part || match == "" && strings.EqualFold(n, part) {
				match = n
			}
		}
		if err != nil && !errors.Is(err, io.EOF) || match == "" {
			return filepath.Join(dir, filepath.Join(parts[i:]...)), false
		}
		dir = filepath.Join(dir, match)
	}
	return dir, true
}
