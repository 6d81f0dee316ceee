//go:build linux

package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/userstate"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
)

// USM-2: what one run captures another restores, through the real site and API, with restarts between the steps. On the appliance it is encrypted; the
// retention begins with the release.
func TestUserStateAtTheRealAppliance(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("owners can be set by root only")
	}
	r := newRealSite(t, func(files *appliance) site.ContentLibrary { return library{files} })
	s, system := r.site, t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(system, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(system, name), []byte(text), 0o600))
	}
	write("etc/passwd", "alice:x:1000:1000::/home/alice:/bin/sh\n")
	letter := strings.Repeat("dear all ", 100000)
	write("home/alice/letter", letter)
	local := func(c *agent.Config) { c.Local.UserState = userstate.Linux{Root: system} }
	finish := func(name string, steps ...string) wire.RunInfo {
		r.deploy(t, name, steps...)
		a := r.client(t, local)
		require.NoError(t, a.RunOnce(context.Background()))
		r.advance(time.Hour)
		err := a.RunOnce(context.Background())
		for errors.Is(err, agent.ErrRestarting) { // another agent, which knows only what is on the disk
			err = r.client(t, local).RunOnce(context.Background())
		}
		require.NoError(t, err)
		runs, err := s.Runs(s.Ctx, r.device.ID, "", 1)
		require.NoError(t, err)
		require.Equal(t, name, runs[0].SequenceName)
		return runs[0]
	}
	nothing := finish("Nothing", installStep("RequestStateStoreAction", "request", "OSDStateRequestType=Restore"))
	require.Equal(t, wire.RunFailed, nothing.State)
	require.Contains(t, nothing.Message, "no user state for this machine")

	capture := finish("Capture", installStep("RequestStateStoreAction", "request", "OSDStateRequestType=Capture"),
		restartStep(), installStep("CaptureUserStateAction", "capture"), restartStep(), installStep("ReleaseStateStoreAction", "release"))
	require.Equal(t, wire.RunSucceeded, capture.State, capture.Message)
	states, err := s.UserStates(s.Ctx)
	require.NoError(t, err)
	require.Len(t, states, 1)
	require.Equal(t, "lab-01", states[0].SourceName)
	require.NotNil(t, states[0].Completed)
	require.Nil(t, states[0].Expires, "it stays until it was restored")
	kept, err := filepath.Glob(filepath.Join(s.StateDir, states[0].ID, "*"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	require.NotContains(t, readFile(t, kept[0]), "letter")

	require.NoError(t, os.RemoveAll(filepath.Join(system, "home")))
	restored := finish("Restore", installStep("RequestStateStoreAction", "request", "OSDStateRequestType=Restore"),
		restartStep(), installStep("RestoreUserStateAction", "restore"), installStep("ReleaseStateStoreAction", "release"))
	require.Equal(t, wire.RunSucceeded, restored.State, restored.Message)
	require.Equal(t, letter, readFile(t, filepath.Join(system, "home/alice/letter")))
	st, err := s.UserState(s.Ctx, states[0].ID)
	require.NoError(t, err)
	require.NotNil(t, st.Released)
	require.NotNil(t, st.Expires)

	// Another machine may have it only when somebody says so; after the retention it is gone, with its key.
	other := s.Device("lab-02", 2)
	require.NoError(t, s.ExpireStates(s.Ctx))
	require.FileExists(t, kept[0])
	require.NoError(t, s.AssociateState(s.Ctx, wire.StateAssociation{Source: "lab-01", Target: other.Name}))
	r.advance(25 * time.Hour)
	require.NoError(t, s.ExpireStates(s.Ctx))
	require.NoFileExists(t, kept[0])
	states, err = s.UserStates(s.Ctx)
	require.NoError(t, err)
	require.Empty(t, states)
	again := finish("Again", installStep("RequestStateStoreAction", "request", "OSDStateRequestType=Capture"), installStep("CaptureUserStateAction", "capture"))
	require.Equal(t, wire.RunSucceeded, again.State, again.Message)
	states, err = s.UserStates(s.Ctx)
	require.NoError(t, err)
	require.Equal(t, "lab-02", states[0].TargetName)
	denied := finish("Denied", installStep("RequestStateStoreAction", "request", "OSDStateRequestType=Restore"))
	require.Equal(t, wire.RunFailed, denied.State, "USM-5: it is for lab-02 now")
}
