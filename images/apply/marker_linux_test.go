package apply_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
)

// MED-25: the mark of a machine deployed from a medium goes when it is old, or
// when its time cannot be right.
func TestExpireMarker(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		made time.Time
		gone bool
	}{
		"fresh":           {now.Add(-time.Hour), false},
		"old":             {now.Add(-25 * time.Hour), true},
		"clock was ahead": {now.AddDate(20, 0, 0), true},
		"a little ahead":  {now.Add(time.Minute), false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, at := range []string{apply.MarkerOnRoot, "boot/efi/" + apply.MarkerOnESP} {
				root := t.TempDir()
				file := filepath.Join(root, at)
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte("run\n"), 0o644))
				require.NoError(t, os.Chtimes(file, tc.made, tc.made))
				require.NoError(t, apply.ExpireMarker(root, 24*time.Hour, now))
				if tc.gone {
					require.NoFileExists(t, file)
				} else {
					require.FileExists(t, file)
				}
			}
		})
	}
	require.NoError(t, apply.ExpireMarker(t.TempDir(), time.Hour, now), "no mark is no error")
}
