package host_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/tsengine/machine"
)

func moment() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

// The facts of the image's capture and of the last deployment stay side by side, and a shell reads them back.
func TestTattoo(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "etc"), 0o755))
	mark := host.Tattoo{Linux: host.Linux{Root: root}, Now: moment}
	odd := "Lab \"client\" $(touch x) `id` \\ \nnew"
	for _, c := range []struct {
		prefix, name, value string
	}{{"Capture", "CaptureMethod", "ZTI"}, {"", "TaskSequenceName", "first"}, {"", "TaskSequenceName", odd}} {
		where, err := mark.Tattoo(t.Context(), c.prefix, []machine.Fact{{Name: c.name, Value: c.value}})
		require.NoError(t, err)
		require.Equal(t, "/etc/deployment-release", where)
	}
	file := filepath.Join(root, "etc/deployment-release")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 6, strings.Count(string(data), "\n"), string(data))
	require.Contains(t, string(data), "CAPTUREMETHOD=\"ZTI\"\n")
	require.Contains(t, string(data), "DEPLOYMENTTIMESTAMP=\"2026-11-22T10:00:00Z\"\n")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `. "$1"; printf %s "$TASKSEQUENCENAME"`, "sh", file).Output()
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(odd, "\n", " "), string(out))
}

type registry struct{ lines []string }

func (r *registry) Windows() bool    { return true }
func (r *registry) Find(string) bool { return true }
func (r *registry) Start(_ context.Context, p machine.Program) (machine.Exit, error) {
	r.lines = append(r.lines, strings.Join(p.Args, "|"))
	return machine.Exit{}, nil
}

func TestTattooOnWindows(t *testing.T) {
	r := &registry{}
	_, err := host.RegistryTattoo{Programs: r, Now: moment}.Tattoo(t.Context(), "", []machine.Fact{{Name: "DeploymentType", Value: "NEWCOMPUTER"}})
	require.NoError(t, err)
	require.Contains(t, r.lines, `add|HKLM\SOFTWARE\Microsoft\Deployment 4|/v|DeploymentType|/t|REG_SZ|/d|NEWCOMPUTER|/f`)
}
