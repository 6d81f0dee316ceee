package site_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// debugRun is a run in debug mode in the boot environment, with the session of its machine.
func debugRun(t *testing.T, s *sitetest.Site) (site.Session, string) {
	t.Helper()
	d := s.Device("lab-01", 1)
	q, err := s.ImportSequence(s.Ctx, wire.SequenceImport{XML: `<sequence name="S">`, Name: "S", BootImage: s.Image.ID})
	require.NoError(t, err)
	dep := s.Deploy(wire.DeploymentSpec{TaskSequence: q.ID, Collection: s.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE, Debug: true})
	who := site.Session{Device: d.ID, Environment: wire.WinPE, LaunchMode: wire.LaunchPXE}
	run, err := s.Claim(s.Ctx, who, wire.ClaimRequest{Deployment: dep.ID, Key: "k", Environment: wire.WinPE, LaunchMode: wire.LaunchPXE})
	require.NoError(t, err)
	require.True(t, run.Debug, "DBG-1")
	return who, run.ID
}

func report(environment wire.Environment, paused bool) wire.DebugReport {
	return wire.DebugReport{DebugStanding: wire.DebugStanding{Environment: environment, Paused: paused}, Tree: []wire.DebugNode{{Name: "a\x1b[2J"}, {Name: "b"}}}
}

func TestDebugDesk(t *testing.T) {
	s := sitetest.New(t)
	who, run := debugRun(t, s)
	_, err := s.DebugCommand(s.Ctx, run, wire.DebugAsk{Action: "step"})
	require.ErrorContains(t, err, "not in debug mode")
	_, err = s.DebugReport(s.Ctx, site.Session{Device: "another"}, run, report(wire.WinPE, true))
	require.ErrorContains(t, err, "no such run", "of another machine")
	_, err = s.DebugReport(s.Ctx, who, run, wire.DebugReport{Tree: make([]wire.DebugNode, wire.MaxDebugNodes+1)})
	require.Error(t, err)
	orders, err := s.DebugReport(s.Ctx, who, run, report(wire.WinPE, true))
	require.NoError(t, err)
	require.False(t, orders.Attached, "DBG-6")
	view, err := s.DebugView(s.Ctx, run, 0, 0)
	require.NoError(t, err)
	require.NotContains(t, view.Tree[0].Name, "\x1b", "a machine does not move cursors")
	for name, ask := range map[string]wire.DebugAsk{"unknown": {Action: "dance"}, "abandon is the machine's own": {Action: "abandon"}, "outside": {Action: "goto", Pointer: 2}, "below": {Action: "break", Pointer: -1}} {
		_, err = s.DebugCommand(s.Ctx, run, ask)
		require.Error(t, err, name)
	}
	for range 16 {
		_, err = s.DebugCommand(s.Ctx, run, wire.DebugAsk{Action: "break", Pointer: 1})
		require.NoError(t, err)
	}
	_, err = s.DebugCommand(s.Ctx, run, wire.DebugAsk{Action: "step"})
	require.ErrorContains(t, err, "not taken", "bounded")
	orders, err = s.DebugReport(s.Ctx, who, run, report(wire.WinPE, true))
	require.NoError(t, err)
	require.Len(t, orders.Commands, 16)
	require.True(t, orders.Attached)
	r := report(wire.WinPE, true)
	r.Taken = 15
	orders, err = s.DebugReport(s.Ctx, who, run, r)
	require.NoError(t, err)
	require.Len(t, orders.Commands, 1, "what was taken does not come again")
	s.Clock.Advance(3 * time.Minute)
	orders, err = s.DebugReport(s.Ctx, who, run, r)
	require.NoError(t, err)
	require.False(t, orders.Attached, "who went is not attached")

	// A machine that waits hears at once of the end of its run.
	r.Taken, r.Hold = 16, wire.Duration(25*time.Second)
	ended := make(chan error, 1)
	began := time.Now()
	go func() {
		_, err := s.DebugReport(s.Ctx, who, run, r)
		if err == nil {
			_, err = s.DebugReport(s.Ctx, who, run, r)
		}
		ended <- err
	}()
	_, err = s.Cancel(s.Ctx, run)
	require.NoError(t, err)
	require.ErrorContains(t, <-ended, "cancelled")
	require.Less(t, time.Since(began), 20*time.Second)
}

func TestDBG3ShellOnlyWhereItMayBe(t *testing.T) {
	s := sitetest.New(t)
	who, run := debugRun(t, s)
	for name, c := range map[string]struct {
		report wire.DebugReport
		want   string
	}{"running": {report(wire.WinPE, false), "is running"}, "installed system": {report(wire.FullOS, true), "boot environment only"}} {
		_, err := s.DebugReport(s.Ctx, who, run, c.report)
		require.NoError(t, err)
		_, err = s.OpenShell(s.Ctx, run, wire.ShellOpen{})
		require.ErrorContains(t, err, c.want, name)
	}
	_, err := s.DebugReport(s.Ctx, who, run, report(wire.WinPE, true))
	require.NoError(t, err)
	first, err := s.OpenShell(site.WithActor(s.Ctx, "ann"), run, wire.ShellOpen{})
	require.NoError(t, err)
	orders, err := s.DebugReport(s.Ctx, who, run, report(wire.WinPE, true))
	require.NoError(t, err)
	require.Equal(t, first.ID, orders.Shell.ID)
	_, err = s.ShellWrite(s.Ctx, run, first.ID, wire.ShellChunk{Data: make([]byte, wire.MaxShellChunk+1)})
	require.Error(t, err)
	taken, err := s.ShellWrite(s.Ctx, run, first.ID, wire.ShellChunk{Offset: 5, Data: []byte("gap")})
	require.NoError(t, err)
	require.Zero(t, taken.Offset, "a gap is not filled")
	full, cancel := context.WithTimeout(s.Ctx, 50*time.Millisecond)
	defer cancel()
	for offset := int64(0); offset < 10*wire.MaxShellChunk; offset += wire.MaxShellChunk {
		if taken, err = s.ShellWrite(full, run, first.ID, wire.ShellChunk{Offset: offset, Data: make([]byte, wire.MaxShellChunk)}); err != nil {
			break
		}
	}
	require.LessOrEqual(t, taken.Offset, int64(256<<10), "bounded")
	_, err = s.OpenShell(s.Ctx, run, wire.ShellOpen{})
	require.NoError(t, err)
	_, err = s.ShellWrite(s.Ctx, run, first.ID, wire.ShellChunk{})
	require.ErrorContains(t, err, "no such shell", "one shell for a run")
}

// A shell whose record cannot be written is not opened: whoever hangs up at once runs nothing that nobody knows of.
func TestShellIsRecordedBeforeItIsOpened(t *testing.T) {
	s := sitetest.New(t)
	who, run := debugRun(t, s)
	_, err := s.DebugReport(s.Ctx, who, run, report(wire.WinPE, true))
	require.NoError(t, err)
	gone, hangUp := context.WithCancel(s.Ctx)
	hangUp()
	_, err = s.OpenShell(gone, run, wire.ShellOpen{Command: "id"})
	require.Error(t, err)
	orders, err := s.DebugReport(s.Ctx, who, run, report(wire.WinPE, true))
	require.NoError(t, err)
	require.Nil(t, orders.Shell)
	long := strings.Repeat("true; ", 600) + "rm -r /"
	_, err = s.OpenShell(s.Ctx, run, wire.ShellOpen{Command: long})
	require.NoError(t, err)
	list, err := s.Messages(s.Ctx, "audit")
	require.NoError(t, err)
	told := ""
	for _, m := range list {
		told += m.Text
	}
	require.Contains(t, told, long, "all of it")
}
