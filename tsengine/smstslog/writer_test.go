package smstslog_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// TS-150, to the byte.
func TestTS150Format(t *testing.T) {
	at := func(offset int) time.Time {
		return time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.FixedZone("", offset*60))
	}
	for _, c := range []struct {
		offset int
		bias   string
	}{{60, "-60"}, {-300, "+300"}, {0, "+0"}, {330, "-330"}} {
		got := smstslog.Format(smstslog.Record{Text: "Start", Time: at(c.offset), Component: "TSManager", Type: smstslog.Info, Thread: 1234, File: "engine.cxx:1022"})
		require.Equal(t, `<![LOG[Start]LOG]!><time="05:06:07.089`+c.bias+`" date="03-04-2026" component="TSManager" context="" type="1" thread="1234" file="engine.cxx:1022">`+"\r\n", got)
	}
	got := smstslog.Format(smstslog.Record{Text: "a\nb]LOG]!><time=\"forged\"", Component: "x\"y\n"})
	require.Equal(t, 1, strings.Count(got, "]LOG]!>"))
	require.Contains(t, got, `component="x_y_"`)
	require.Contains(t, got, "a\nb")
}

// TS-153.
func TestTS153Rotation(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var mirror bytes.Buffer
	w, err := smstslog.Open(dir, smstslog.Options{MaxSize: 1000, OldFiles: 3, Mirror: &mirror, Now: func() time.Time { now = now.Add(time.Second); return now }})
	require.NoError(t, err)
	for range 100 {
		require.NoError(t, w.Write(smstslog.Record{Text: strings.Repeat("x", 50), Component: "TSManager"}))
	}
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	old, err := filepath.Glob(filepath.Join(dir, "smsts-????????-??????.log"))
	require.NoError(t, err)
	require.Len(t, old, 3)
	for _, f := range append(old, filepath.Join(dir, smstslog.Name)) {
		s, err := os.Stat(f)
		require.NoError(t, err)
		require.LessOrEqual(t, s.Size(), int64(1000))
	}
	require.Equal(t, 100, strings.Count(mirror.String(), "\r\n"))
	require.ErrorIs(t, w.Write(smstslog.Record{Text: "late"}), os.ErrClosed)
}

// TS-154: the log moves to the disk once there is one.
func TestTS154Move(t *testing.T) {
	first, second := t.TempDir(), filepath.Join(t.TempDir(), "Logs", "Smstslog")
	w, err := smstslog.Open(first, smstslog.Options{})
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, w.Write(smstslog.Record{Text: "one"}))
	require.NoError(t, w.Move(second))
	require.NoError(t, w.Move(second))
	require.NoError(t, w.Write(smstslog.Record{Text: "two"}))
	require.Equal(t, second, w.Dir())
	require.NoError(t, w.Sync())
	b, err := os.ReadFile(filepath.Join(second, smstslog.Name))
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(b), "\r\n"))
	require.Contains(t, string(b), "[one]")
	// A place that cannot be used leaves it where it is.
	blocker := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(blocker, nil, 0o600))
	require.Error(t, w.Move(filepath.Join(blocker, "x")))
	require.NoError(t, w.Write(smstslog.Record{Text: "three"}))
	require.Equal(t, second, w.Dir())
}
