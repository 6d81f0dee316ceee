//go:build linux

package tsengine_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// memoryFolder makes this program an engine with 10,000 nodes whose memory is measured.
const memoryFolder = "BYD_TEST_MEMORY_FOLDER"

// engineMemory is what an engine may need, in bytes.
const engineMemory = 32 << 20

func runToBeMeasured(t testing.TB, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "ts.xml"))
	require.NoError(t, err)
	s, err := sequence.Parse(text)
	require.NoError(t, err)
	e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: fileStore{dir}})
	require.NoError(t, err)
	r, err := e.Run(context.Background())
	require.NoError(t, err)
	require.Equal(t, tsengine.Succeeded, r.Outcome)
	runtime.KeepAlive(s)
}

// The engine with its parsed sequence of 10,000 nodes and its checkpoints stays small.
func TestMemoryOfTheEngine(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, dir := nodes10000(t), t.TempDir()
	e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: fileStore{dir}})
	require.NoError(t, err)
	_, err = e.Run(t.Context())
	require.NoError(t, err)
	runtime.GC()
	runtime.ReadMemStats(&after)
	live := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%.1f MiB live", float64(live)/(1<<20))
	require.Less(t, live, int64(engineMemory))
	runtime.KeepAlive(e)
	runtime.KeepAlive(s)
}

// BenchmarkMemory is the peak of a process that reads and runs 10,000 nodes, over that of the same program doing nothing.
// Without the race detector it must stay below the limit.
func BenchmarkMemory(b *testing.B) {
	switch dir := os.Getenv(memoryFolder); dir {
	case "":
	case "idle":
		return
	default:
		runToBeMeasured(b, dir)
		return
	}
	dir := b.TempDir()
	require.NoError(b, os.WriteFile(filepath.Join(dir, "ts.xml"), []byte(`<sequence version="3.10">`+text10000()+`</sequence>`), 0o600))
	idle, peak := peakOf(b, "idle"), int64(0)
	for b.Loop() {
		peak = max(peak, peakOf(b, dir)-idle)
	}
	b.ReportMetric(float64(peak)/(1<<20), "MiB")
	b.ReportMetric(float64(idle)/(1<<20), "MiB-idle")
	require.Less(b, peak, int64(engineMemory))
}

func peakOf(b *testing.B, dir string) int64 {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkMemory$", "-test.benchtime", "1x")
	cmd.Env = append(os.Environ(), memoryFolder+"="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, string(out))
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}
