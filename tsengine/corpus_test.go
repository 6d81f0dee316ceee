package tsengine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// Every real sequence runs to an orderly end on a machine without hardware, in both environments; that most of them
// fail there, on Windows programs and steps, is expected.
func TestCorpusRuns(t *testing.T) {
	files := sequencetest.Corpus(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := sequence.Parse(data)
			require.NoError(t, err)
			children := map[string]*sequence.Sequence{}
			for _, r := range s.References() {
				if r.Kind == sequence.SequenceReference {
					children[r.ID] = parse(t, "")
				}
			}
			tsengine.Check(s, children, func(sequence.ReferenceKind, string) bool { return false })
			for _, env := range []tsengine.Environment{tsengine.WinPE, tsengine.FullOS} {
				b, vars := &bench{}, variable.New()
				require.NoError(t, vars.Set("PHASE", "PREINSTALL"))
				r := execute(t, s, func(c *tsengine.Config) {
					c.Environment, c.Variables, c.Children = env, vars, children
					c.Machine = b.capabilities(c.Machine.Commands)
				})
				require.Contains(t, []tsengine.Outcome{tsengine.Succeeded, tsengine.Failed, tsengine.RestartRequested}, r.result.Outcome)
				if r.result.Outcome == tsengine.Failed {
					require.NotEmpty(t, r.result.Error)
				}
				open := map[int]bool{}
				for _, e := range r.recorder.events {
					switch e.Kind {
					case tsengine.GroupStarted:
						open[e.Pointer] = true
					case tsengine.GroupCompleted, tsengine.GroupFailed:
						delete(open, e.Pointer)
					}
				}
				if r.result.Outcome != tsengine.RestartRequested {
					require.Empty(t, open, "every group that was started has ended")
				}
			}
		})
	}
}
