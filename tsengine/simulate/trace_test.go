package simulate_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/simulate"
)

// The traces in testdata were computed by hand from docs/spec/task-sequence.md, not from what the simulator says. Each
// node is one line: pointer, result, exit code ("-" for none, "?" for one that the rules do not name), name. Lines with =
// and "is unset" are variables at the end.
func TestHandComputedTraces(t *testing.T) {
	names, err := filepath.Glob("testdata/traces/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			require.NoError(t, err)
			o := simulate.Options{Children: map[string]*sequence.Sequence{}}
			want := []string{}
			for _, f := range archive.Files {
				switch {
				case f.Name == "trace":
					want = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
				case f.Name == "facts.yaml":
					sheet, err := fact.Parse(f.Data)
					require.NoError(t, err)
					o.Machine = simulate.Describe(sheet)
				default:
					s, err := sequence.Parse(f.Data)
					require.NoError(t, err)
					if f.Name == "sequence.xml" {
						o.Sequence = s
					} else {
						o.Children[strings.TrimSuffix(filepath.Base(f.Name), ".xml")] = s
					}
				}
			}
			data, err := json.Marshal(walk(t, o)) // as sequence simulate --json prints it
			require.NoError(t, err)
			got := struct {
				Outcome   string
				Variables map[string]string
				Nodes     []struct {
					Pointer      int
					Name, Result string
					ExitCode     *uint32
				}
			}{}
			require.NoError(t, json.Unmarshal(data, &got))
			lines := []string{got.Outcome}
			for _, n := range got.Nodes {
				code := "-"
				if n.ExitCode != nil {
					code = fmt.Sprint(*n.ExitCode)
				}
				if i := len(lines); i < len(want) && strings.HasPrefix(want[i], fmt.Sprintf("%d %s ? ", n.Pointer, n.Result)) {
					code = "?"
				}
				lines = append(lines, fmt.Sprintf("%d %s %s %s", n.Pointer, n.Result, code, n.Name))
			}
			for _, line := range want[min(len(lines), len(want)):] {
				if name, ok := strings.CutSuffix(line, " is unset"); ok {
					if _, set := got.Variables[name]; !set {
						lines = append(lines, line)
					}
					continue
				}
				name, _, _ := strings.Cut(line, " = ")
				lines = append(lines, name+" = "+got.Variables[name])
			}
			require.Equal(t, want, slices.Clone(lines))
		})
	}
}
