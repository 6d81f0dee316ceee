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
	share := func(id string) string {
		require.NoError(t, s.API.Do(t.Context(), http.MethodPost, "/api/v1/packages/"+id+"/share", nil, nil))
		dir := filepath.Join(s.DataDir(), "share", "packages", id)
		require.Eventually(t, func() bool { _, err := os.Stat(dir); return err == nil }, time.Minute, 100*time.Millisecond)
		return dir
	}
	sequence, err := s.Sequence(t.Context(), "Deploy Debian", examples.Debian)
	require.NoError(t, err)
	spec := small("direct", lab.BIOS, 0x27)
	s.device(spec)
	// The operating system's image too is read where it lies, in the boot environment (DOP-T4).
	share(s.BootImage)
	share(s.OSImage)
	s.deploy(wire.DeploymentSpec{TaskSequence: sequence, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE, DeploymentOption: wire.DirectFromDP,
		Assignments: []wire.Assignment{{Kind: wire.ASAP}}}, "direct")
	m := s.boot(spec)
	deployed := s.ended("direct")
	require.Equal(t, wire.RunSucceeded, deployed.State, deployed.Message)
	inPlace(s, deployed.ID)

	dir := t.TempDir()
	script := "echo the share says AAAA, $1 >/dev/console\nfind /var/lib/bootyard/Packages /var/lib/bootyard/ClientCache -type f 2>/dev/null | wc -l >/dev/console\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tell.sh"), []byte(script), 0o644))
	pkg, err := s.Package(t.Context(), "Tell", "package", dir)
	require.NoError(t, err)
	shared := filepath.Join(share(pkg), "tell.sh")
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
	inPlace(s, run.ID)
}

// inPlace holds that a run used content where it lies, and downloaded none.
func inPlace(s *scene, run string) {
	s.t.Helper()
	used := 0
	for _, e := range call[[]wire.Event](s, http.MethodGet, "/runs/"+run+"/events", nil) {
		if e.Kind == wire.EventContent {
			used++
			require.Contains(s.t, e.Text, "not verified (DOP-15)")
			require.Zero(s.t, e.Bytes)
		}
	}
	require.Equal(s.t, 1, used)
}
