package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/lint"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
	"github.com/bootyard/bootyard/tsengine/yamlform"
)

func TestCorpus(t *testing.T) {
	for _, file := range sequencetest.Corpus(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := sequence.Parse(data)
			require.NoError(t, err)
			for _, f := range lint.Run(s, lint.Options{}) {
				require.NotEmpty(t, f.Text)
				require.NotEmpty(t, f.Remedy)
				require.NotEmpty(t, f.Rule)
				if os.Getenv("LINT_SHOW") != "" {
					fmt.Printf("%.3s\t%s\t%s\t%s\t%s\n", filepath.Base(file), f.Severity, f.Check, f.Rule, f.Name+" | "+f.Text)
				}
			}
		})
	}
}

// The example of the documentation has nothing worse than a note.
func TestExample(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "examples", "workstation.yaml"))
	require.NoError(t, err)
	s, err := yamlform.Parse(data)
	require.NoError(t, err)
	for _, f := range lint.Run(s, lint.Options{}) {
		require.Equal(t, lint.Note, f.Severity, f)
	}
}

func BenchmarkLargest(b *testing.B) {
	var data []byte
	for _, f := range sequencetest.Corpus(b) {
		if d, err := os.ReadFile(f); err == nil && len(d) > len(data) {
			data = d
		}
	}
	s, err := sequence.Parse(data)
	require.NoError(b, err)
	for b.Loop() {
		lint.Run(s, lint.Options{})
	}
}
