package sequencetest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Corpus gives the paths of the real task sequences, which lie beside the repository in shared/corpus; they belong to
// others and are not part of it. The test is skipped where they are not.
func Corpus(t testing.TB) []string {
	t.Helper()
	root, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(root)
		require.NotEqual(t, root, up, "the test runs in no Go module")
		root = up
	}
	files, err := filepath.Glob(filepath.Join(root, "..", "shared", "corpus", "*.xml"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("no corpus of real task sequences at ../shared/corpus beside the repository")
	}
	return files
}
