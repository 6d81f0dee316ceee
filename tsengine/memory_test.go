//go:build linux

package tsengine_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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

// BenchmarkMemory is the peak of a whole process that reads and runs 10,000 nodes, less the pages of the
// program file, which the kernel can drop. Without the race detector it must stay below the limit.
func BenchmarkMemory(b *testing.B) {
	dir := os.Getenv(memoryFolder)
	if dir != "" {
		runToBeMeasured(b, dir)
		status, err := os.ReadFile("/proc/self/status") // rusage would count the parent's memory before exec
		require.NoError(b, err)
		require.NoError(b, os.WriteFile(filepath.Join(dir, "status"), status, 0o600))
		return
	}
	dir = b.TempDir()
	require.NoError(b, os.WriteFile(filepath.Join(dir, "ts.xml"), []byte(`<sequence version="3.10">`+text10000()+`</sequence>`), 0o600))
	peak := int64(0)
	for b.Loop() {
		cmd := exec.Command(os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkMemory$", "-test.benchtime", "1x")
		cmd.Env = append(os.Environ(), memoryFolder+"="+dir)
		out, err := cmd.CombinedOutput()
		require.NoError(b, err, string(out))
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		require.NoError(b, err)
		peak = max(peak, kilobytes(b, string(status), "VmHWM:")-kilobytes(b, string(status), "RssFile:"))
	}
	b.ReportMetric(float64(peak)/(1<<20), "MiB")
	require.Less(b, peak, int64(engineMemory))
}

func kilobytes(b *testing.B, status, key string) int64 {
	b.Helper()
	_, text, _ := strings.Cut(status, key)
	var n int64
	_, err := fmt.Sscan(text, &n)
	require.NoError(b, err)
	return n << 10
}
