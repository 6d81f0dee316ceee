package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/examples"
	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/stage"
	"github.com/bootyard/bootyard/internal/wire"
)

// TestDOP13DirectInAMachine: the agent of a deployed machine runs a package where it lies, by its kernel's own cifs, from the
// share of the appliance (S-94); a byte that was altered there runs (S-97), and nothing is kept on the machine.
func TestDOP13DirectInAMachine(t *testing.T) {
	needsVM(t, true)
	if _, err := exec.LookPath("smbd"); err != nil {
		t.Skip("needs smbd (Debian package samba)")
	}
	t.Parallel()
	s := newScene(t, func(c *stage.Config) { c.More = "share:\n  enabled: true\n" })
	sequence, err := s.Sequence(t.Context(), "Deploy Debian", examples.Debian)
	require.NoError(t, err)
	spec := small("direct", lab.BIOS, 0x27)
	s.device(spec)
	_, err = s.DeployNow(t.Context(), spec.Name, sequence)
	require.NoError(t, err)
	m := s.boot(spec)
	require.Equal(t, wire.RunSucceeded, s.ended("direct").State)

	dir := t.TempDir()
	script := "echo the share says AAAA, $1 >/dev/console\nfind /var/lib/bootyard/Packages /var/lib/bootyard/ClientCache -type f 2>/dev/null | wc -l >/dev/console\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tell.sh"), []byte(script), 0o644))
	pkg, err := s.Package(t.Context(), "Tell", "package", dir)
	require.NoError(t, err)
	require.NoError(t, s.API.Do(t.Context(), http.MethodPost, "/api/v1/packages/"+pkg+"/share", nil, nil))
	shared := filepath.Join(s.DataDir(), "share", "packages", pkg, "tell.sh")
	require.Eventually(t, func() bool { _, err := os.Stat(shared); return err == nil }, time.Minute, 100*time.Millisecond)
	require.NoError(t, os.WriteFile(shared, []byte(strings.Replace(script, "AAAA", "BBBB", 1)), 0o755))
	var out wire.Sequence
	xml := strings.ReplaceAll(strings.ReplaceAll(examples.Inventory, "BYD00003", pkg), "sh inventory.sh", "sh tell.sh %_SMSTSRunFromDP%")
	require.NoError(t, s.API.Do(t.Context(), http.MethodPost, "/api/v1/sequences", wire.SequenceImport{Name: "Tell", XML: xml}, &out))
	d := s.deploy(wire.DeploymentSpec{TaskSequence: out.ID, Purpose: wire.Required, MakeAvailableTo: wire.Clients, DeploymentOption: wire.DirectFromDP,
		Assignments: []wire.Assignment{{Kind: wire.ASAP}}}, "direct")
	run := s.until("direct", deployLimit, func(r wire.RunInfo) bool { return r.Deployment == d.ID && r.Ended != nil })
	require.Equal(t, wire.RunSucceeded, run.State, run.Message)
	s.wait(m, "the share says BBBB, true")
	log, err := os.ReadFile(filepath.Join(s.DataDir(), "share", "samba", "log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "opened file "+pkg+"/tell.sh read=Yes write=No", "the distribution point's own log")
	events := call[[]wire.Event](s, http.MethodGet, "/runs/"+run.ID+"/events", nil)
	told := false
	for _, e := range events {
		told = told || e.Kind == wire.EventContent && strings.Contains(e.Text, "not verified (DOP-15)") && e.Bytes == 0
	}
	require.True(t, told)
}
