package simulate_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
	"github.com/bootyard/bootyard/tsengine/simulate"
)

func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	files := sequencetest.Corpus(t)
	out := map[string][]byte{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		out[filepath.Base(f)] = data
	}
	return out
}

// Every real sequence simulates in both environments, each node with a result. How fast: BenchmarkCorpus.
func TestCorpus(t *testing.T) {
	for name, data := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			for _, environment := range []tsengine.Environment{tsengine.WinPE, tsengine.FullOS} {
				for _, phase := range []string{"", "PREINSTALL", "STATERESTORE"} {
					s, err := sequence.Parse(data)
					require.NoError(t, err)
					trace := walk(t, simulate.Options{Sequence: s, Machine: simulate.Machine{Environment: environment, Variables: map[string]string{"PHASE": phase}}})
					require.Len(t, trace.Nodes, len(s.All()), "no child is at hand, so the pointers are those of the document")
				}
			}
		})
	}
}

// BenchmarkCorpus is one simulation of each real file; the slowest counts.
func BenchmarkCorpus(b *testing.B) {
	files := corpus(b)
	slowest := time.Duration(0)
	for b.Loop() {
		for _, data := range files {
			began := time.Now()
			s, err := sequence.Parse(data)
			require.NoError(b, err)
			_, err = simulate.Walk(context.Background(), simulate.Options{Sequence: s})
			require.NoError(b, err)
			slowest = max(slowest, time.Since(began))
		}
	}
	b.ReportMetric(float64(slowest.Microseconds())/1000, "ms/slowest")
}

// FuzzWalk: whatever parses, simulates to an end, and every node has a result.
func FuzzWalk(f *testing.F) {
	f.Add([]byte(`<sequence version="3.10">`+group("g", `continueOnError="true"`, step("a", "")+set("SMSTSRebootRequested", "HD"))+restart("WinPE")+child("X", "")+`</sequence>`), "a", uint32(3010), true)
	f.Add([]byte(`<sequence version="3.10">`+set("SMSTSRetryRequested", "1")+typed("PartitionDiskAction", "p", "", "OSDPartitions", "1")+typed("PrepareOSAction", "s", "")+`</sequence>`), "1", uint32(1), false)
	f.Fuzz(func(t *testing.T, data []byte, key string, code uint32, winpe bool) {
		s, err := sequence.Parse(data)
		if err != nil {
			return
		}
		o := simulate.Options{Sequence: s, Children: map[string]*sequence.Sequence{"X": s}, Machine: simulate.Machine{ExitCodes: map[string]uint32{key: code}, Environment: tsengine.FullOS}}
		if winpe {
			o.Machine.Environment = tsengine.WinPE
		}
		trace, err := simulate.Walk(context.Background(), o)
		require.NoError(t, err)
		for _, n := range trace.Nodes {
			require.NotEmpty(t, n.Result)
		}
	})
}
