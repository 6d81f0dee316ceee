package e2e_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/stage"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// Limits well above what emulation on two busy cores needs, so that only a
	// machine that hangs meets them.
	deployLimit = 20 * time.Minute
	bootLimit   = 5 * time.Minute
	askEvery    = 500 * time.Millisecond
)

// needsVM skips a test that boots machines unless it was asked for. long marks
// those that only BOOTYARD_VM=all runs.
func needsVM(t *testing.T, long bool) {
	t.Helper()
	switch want := os.Getenv("BOOTYARD_VM"); {
	case want == "" || want == "0":
		t.Skip("boots machines: set BOOTYARD_VM=1 (or run make test)")
	case long && want != "all":
		t.Skip("boots machines for long: set BOOTYARD_VM=all (or run make test-all)")
	case os.Geteuid() != 0:
		t.Skip("makes network namespaces: run as root")
	}
}

func repoPath(t *testing.T, elem ...string) string {
	t.Helper()
	p, err := filepath.Abs(filepath.Join(append([]string{"..", ".."}, elem...)...))
	require.NoError(t, err)
	return p
}

var images = sync.OnceValues(func() (stage.Images, error) {
	build, err := filepath.Abs("../../build")
	if err != nil {
		return stage.Images{}, err
	}
	return stage.BuildImages(context.Background(), stage.ImageConfig{
		BuildDir: build, Agent: filepath.Join(build, "..", "bin", "bootyard-agent"),
		Progress: func(line string) { fmt.Fprintln(os.Stderr, line) },
	})
})

// scene is a stage with its test.
type scene struct {
	*stage.Stage
	t *testing.T
}

// newScene sets up an appliance with its images; everything goes at the end of
// the test, also when it fails.
func newScene(t *testing.T, change ...func(*stage.Config)) *scene {
	t.Helper()
	built, err := images()
	require.NoError(t, err)
	dir := t.TempDir()
	cfg := stage.Config{
		Lab: lab.Config{Name: labName(t), LogDir: filepath.Join(dir, "machines")},
		Dir: filepath.Join(dir, "appliance"), Program: repoPath(t, "bin", "bootyard"),
	}
	for _, c := range change {
		c(&cfg)
	}
	s := &scene{t: t}
	s.Stage, err = stage.Up(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			s.showLogs()
		}
		assert.NoError(t, s.Down(context.Background()))
	})
	require.NoError(t, s.Import(t.Context(), built))
	return s
}

// labName makes a lab's name from the test's: letters, digits, dashes, short. The
// process id keeps two suites on one machine apart.
func labName(t *testing.T) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(t.Name()))
	name = fmt.Sprintf("%s-%d", name, os.Getpid())
	return strings.Trim(name[max(0, len(name)-28):], "-")
}

func (s *scene) showLogs() {
	if data, err := os.ReadFile(s.Log()); err == nil {
		s.t.Logf("appliance's log ends:\n%s", last(string(data), 60))
	}
	status, err := s.Lab.Status()
	if err != nil {
		return
	}
	for _, m := range status.Machines {
		if data, err := os.ReadFile(m.Console); err == nil {
			s.t.Logf("console of %s ends:\n%s", m.Name, last(string(data), 60))
		}
	}
}

func last(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// call asks the API and fails the test on a refusal.
func call[T any](s *scene, method, path string, in any) T {
	s.t.Helper()
	var out T
	require.NoError(s.t, s.API.Do(s.t.Context(), method, "/api/v1"+path, in, &out), "%s %s", method, path)
	return out
}

// device imports a machine of the lab by its MAC and UUID.
func (s *scene) device(spec lab.MachineSpec) {
	s.t.Helper()
	require.NoError(s.t, s.Device(s.t.Context(), spec.Name, spec.MAC, spec.UUID))
}

// deploy makes a collection of the devices and a deployment on it.
func (s *scene) deploy(d wire.DeploymentSpec, devices ...string) wire.Deployment {
	s.t.Helper()
	c := call[wire.Collection](s, http.MethodPost, "/collections", wire.CollectionCreate{Name: d.TaskSequence + " " + strings.Join(devices, " ") + " " + string(d.MakeAvailableTo), Members: devices})
	d.Collection = c.ID
	r := call[wire.DeploymentResult](s, http.MethodPost, "/deployments", wire.DeploymentCreate{DeploymentSpec: d, AcceptHighRisk: true})
	return r.Deployment
}

// boot powers a machine on and stops it at the end of the test.
func (s *scene) boot(spec lab.MachineSpec) *lab.Machine {
	s.t.Helper()
	m, err := s.Lab.Boot(s.t.Context(), spec)
	require.NoError(s.t, err)
	return m
}

// wait waits for a console mark since the machine's power-on.
func (s *scene) wait(m *lab.Machine, mark string) lab.Match {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), bootLimit)
	defer cancel()
	found, err := m.WaitConsole(ctx, mark)
	require.NoError(s.t, err)
	return found
}

// ended waits until the device's newest run has a result.
func (s *scene) ended(device string) wire.RunInfo {
	s.t.Helper()
	return s.until(device, deployLimit, func(r wire.RunInfo) bool { return r.Ended != nil })
}

// until waits for a state of the device's newest run.
func (s *scene) until(device string, limit time.Duration, is func(wire.RunInfo) bool) wire.RunInfo {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if r, err := s.Run(ctx, device); err == nil && r != nil && is(*r) {
			return *r
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s: its run does not get there", device)
		case <-tick.C:
		}
	}
}

// succeeded waits for the device's run and fails the test when it failed.
func (s *scene) succeeded(device string) wire.RunInfo {
	s.t.Helper()
	r := s.ended(device)
	require.Equal(s.t, wire.RunSucceeded, r.State, "step %q: %s (%s)", r.FailedStep, r.Message, r.Remedy)
	return r
}

// small is a machine with an empty disk, network first.
func small(name string, firmware lab.Firmware, number int) lab.MachineSpec {
	return lab.MachineSpec{
		Name: name, Firmware: firmware, MemoryMiB: 1024,
		MAC:       fmt.Sprintf("52:54:00:e2:e0:%02x", number),
		UUID:      fmt.Sprintf("0b5e2d3c-7c41-4c1f-9a52-0000000000%02x", number),
		Disks:     []lab.Disk{{Bus: lab.Virtio, Size: 1 << 30}},
		BootOrder: []lab.BootDevice{lab.BootNetwork, lab.BootDisk},
	}
}

// step is one Run Command Line step; pkg may be empty.
type step struct{ name, command, pkg string }

// sequenceXML makes a sequence of Run Command Line steps. The boot image, given
// at import, makes it one for boot environments.
func sequenceXML(t *testing.T, steps ...step) string {
	t.Helper()
	esc := func(s string) string {
		var b strings.Builder
		require.NoError(t, xml.EscapeText(&b, []byte(s)))
		return b.String()
	}
	var b strings.Builder
	b.WriteString(`<sequence version="3.10">`)
	for _, s := range steps {
		fmt.Fprintf(&b, `<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" description="" runIn="WinPEandFullOS" successCodeList="0 3010" retryCount="0" runFromNet="false">
<action>smsswd.exe /run:%s %s</action><defaultVarList>
<variable name="CommandLine" property="CommandLine" hidden="true">%s</variable>
<variable name="PackageID" property="PackageID" hidden="true">%s</variable>
<variable name="SuccessCodes" property="SuccessCodes" hidden="true">0 3010</variable>
</defaultVarList></step>`, esc(s.name), s.pkg, esc(s.command), esc(s.command), s.pkg)
	}
	b.WriteString(`</sequence>`)
	return b.String()
}

// quick imports a sequence of one step that prints a mark on the console.
func (s *scene) quick(name, mark string) string {
	s.t.Helper()
	id, err := s.Sequence(s.t.Context(), name, sequenceXML(s.t, step{name: "Say it", command: `sh -c "echo ` + mark + ` >/dev/ttyS0"`}))
	require.NoError(s.t, err)
	return id
}

func addr4(b [4]byte) netip.Addr { return netip.AddrFrom4(b) }

func withProxy(c *stage.Config) { c.Proxy = true }
