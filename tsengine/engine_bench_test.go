package tsengine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// fileStore makes checkpoints durable as an agent does: temporary file, sync, rename.
type fileStore struct{ dir string }

func (s fileStore) Save(_ context.Context, c tsengine.Checkpoint) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	tmp := filepath.Join(s.dir, "checkpoint.tmp")
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(s.dir, "checkpoint.json"))
}

// nodes10000 is what issue 3 measures: groups, skipped nodes and Set Variable steps.
func nodes10000(b testing.TB) *sequence.Sequence {
	s := parse(b, text10000())
	require.Len(b, s.All(), 10000)
	return s
}

func text10000() string {
	var body strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&body, `<group name="g%d">%s</group><group name="s%d">%s</group>`, i,
			setVariable(fmt.Sprintf("V%d", i%50), "value %_SMSTSPackageID%")+command("skipped", "x", `disable="true"`),
			i, variableCondition("Gone", "equals", "1"))
	}
	return body.String()
}

func Benchmark10000Nodes(b *testing.B) {
	s, dir := nodes10000(b), b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: fileStore{dir}})
		require.NoError(b, err)
		r, err := e.Run(context.Background())
		require.NoError(b, err)
		require.Equal(b, tsengine.Succeeded, r.Outcome)
	}
	b.ReportMetric(float64(10000*b.N)/b.Elapsed().Seconds(), "nodes/s")
}

// BenchmarkEffects measures steps with two durable records each (TS-112a).
func BenchmarkEffects(b *testing.B) {
	s, dir := parse(b, strings.Repeat(command("c", "exit 0", ""), 200)), b.TempDir()
	for b.Loop() {
		e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: fileStore{dir}, Machine: machine.Capabilities{Commands: &commands{}}})
		require.NoError(b, err)
		_, err = e.Run(context.Background())
		require.NoError(b, err)
	}
	b.ReportMetric(float64(200*b.N)/b.Elapsed().Seconds(), "steps/s")
}
