package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/examples"
	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

// facts is what tells two machines made from one image apart.
type facts struct{ machineID, hostName, sshKey, address string }

var factLine = regexp.MustCompile(`FACTS machine-id=(\S+) host=(\S+) key=(\S+) address=(\S+)`)

// tellFacts is appended to the demo's sequence: it says on the console what
// must differ. The key is made at the first start, so it is waited for.
const tellFacts = `sh -c "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do test -s /etc/ssh/ssh_host_ed25519_key.pub &amp;&amp; break; sleep 1; done; echo FACTS machine-id=$(cat /etc/machine-id) host=$(hostname) key=$(cut -c-80 /etc/ssh/ssh_host_ed25519_key.pub | tr -d ' ') address=$(ip -4 -o addr show scope global | tr -s ' ' | cut -d' ' -f4) >/dev/ttyS0"`

// debianWithFacts is examples/debian.xml and one more step in the new OS.
func debianWithFacts(t *testing.T) string {
	t.Helper()
	const end = "  </group>\n</sequence>"
	at := strings.LastIndex(examples.Debian, end)
	require.Positive(t, at)
	step := fmt.Sprintf(`    <step type="SMS_TaskSequence_RunCommandLineAction" name="Tell facts" description="" runIn="FullOS" successCodeList="0" retryCount="0" runFromNet="false" timeout="120">
      <action>smsswd.exe /run: %[1]s</action>
      <defaultVarList><variable name="CommandLine" property="CommandLine" hidden="true">%[1]s</variable></defaultVarList>
    </step>
`, tellFacts)
	return examples.Debian[:at] + step + examples.Debian[at:]
}

// TestDeploy deploys the real Debian to machines unlike the demo's, disturbs
// them on the way, and looks at what came out.
//
// It runs by itself: its two machines are all that two cores can emulate.
func TestDeploy(t *testing.T) {
	needsVM(t, false)
	s := newScene(t)
	sequence, err := s.Sequence(t.Context(), "Deploy Debian", debianWithFacts(t))
	require.NoError(t, err)

	// A stick that firmware and kernel find first, and two disks; a clock of
	// the past and one of the future.
	bios := small("ahci-2001", lab.BIOS, 0x21)
	bios.NIC, bios.MemoryMiB, bios.RTC = "e1000e", 1536, time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	bios.Disks = []lab.Disk{{Bus: lab.USB, Size: 256 << 20}, {Bus: lab.AHCI, Size: 4 << 30}, {Bus: lab.AHCI, Size: 4 << 30}}
	uefi := small("nvme-2050", lab.UEFI, 0x22)
	uefi.MemoryMiB, uefi.RTC = 1536, time.Date(2050, 6, 1, 0, 0, 0, 0, time.UTC)
	uefi.Disks = []lab.Disk{{Bus: lab.USB, Size: 256 << 20}, {Bus: lab.NVMe, Size: 4 << 30}}

	found := map[string]facts{}
	for _, spec := range []lab.MachineSpec{bios, uefi} {
		s.device(spec)
		_, err := s.DeployNow(t.Context(), spec.Name, sequence)
		require.NoError(t, err)
	}
	machines := map[string]*lab.Machine{}
	for _, spec := range []lab.MachineSpec{bios, uefi} {
		machines[spec.Name] = s.boot(spec)
	}
	s.disturb(bios.Name, uefi.Name)
	for name, m := range machines {
		run := s.succeeded(name)
		require.Positive(t, run.Bytes)
		require.Positive(t, run.Hashes)
		found[name] = readFacts(s, m)
	}
	a, b := found[bios.Name], found[uefi.Name]
	require.NotEqual(t, a.machineID, b.machineID)
	require.NotEqual(t, a.hostName, b.hostName)
	require.NotEqual(t, a.sshKey, b.sshKey)
	require.NotEqual(t, a.address, b.address)
	require.Len(t, a.machineID, 32)

	// The second disk of the first machine was not touched.
	require.NoError(t, machines[bios.Name].Stop(t.Context()))
	requireEmpty(t, machines[bios.Name].DiskFile(2))

	s.startsFromDisk(machines[bios.Name])
	s.startsFromDisk(machines[uefi.Name])
	s.obeysSchedules(uefi.Name)
	require.Len(t, call[[]wire.RunInfo](s, http.MethodGet, "/runs", nil), 3, "nothing was deployed twice")
}

// disturb kills the appliance in the middle of one machine's download and
// loses a third of the packets to the other for ten seconds.
func (s *scene) disturb(killed, lossy string) {
	s.t.Helper()
	downloading := func(r wire.RunInfo) bool {
		return r.Phase == wire.PhaseDownload || r.Step == "Apply operating system image"
	}
	s.until(lossy, deployLimit, downloading)
	require.NoError(s.t, s.Lab.Drop(s.t.Context(), lossy, lab.ToMachine, 1.0/3))
	over := time.After(10 * time.Second)
	s.until(killed, deployLimit, downloading)
	require.NoError(s.t, s.Kill())
	<-over
	require.NoError(s.t, s.Lab.Undrop(s.t.Context(), lossy, lab.ToMachine))
	require.NoError(s.t, s.Start(s.t.Context()))
}

func readFacts(s *scene, m *lab.Machine) facts {
	s.t.Helper()
	g := factLine.FindStringSubmatch(s.wait(m, factLine.String()).Text)
	require.Len(s.t, g, 5)
	return facts{g[1], g[2], g[3], g[4]}
}

// requireEmpty looks at the first megabyte of a disk that nobody may write.
func requireEmpty(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	buf := make([]byte, 1<<20)
	_, err = f.Read(buf)
	require.NoError(t, err)
	require.Equal(t, make([]byte, len(buf)), buf)
}

// startsFromDisk switches a deployed machine on with the network card first
// (PXE-15a).
func (s *scene) startsFromDisk(m *lab.Machine) {
	s.t.Helper()
	require.NoError(s.t, m.Stop(s.t.Context()))
	m, err := s.Lab.Boot(s.t.Context(), m.Spec())
	require.NoError(s.t, err)
	s.wait(m, wire.MarkInstalledOS)
	text, err := m.ConsoleText()
	require.NoError(s.t, err)
	require.NotContains(s.t, text, wire.MarkBootEnvironment)
}

// obeysSchedules deploys a generic sequence to the installed agent: all content
// before the first step, at its deadline and not before.
func (s *scene) obeysSchedules(device string) {
	s.t.Helper()
	deadline := time.Now().Add(45 * time.Second).Truncate(time.Second)
	run := s.inventory(device, wire.Assignment{Kind: wire.Once, Start: &wire.Moment{At: deadline, UTC: true}})
	require.Equal(s.t, wire.RunSucceeded, run.State, run.Message)
	require.Equal(s.t, wire.LaunchSMS, run.LaunchMode)
	require.False(s.t, run.Started.Before(deadline), "not before its deadline")
}

// inventory runs examples/inventory.xml in the installed system, after a change
// of what the appliance has stored.
func (s *scene) inventory(device string, when wire.Assignment, change ...func()) wire.RunInfo {
	s.t.Helper()
	pkg, err := s.Package(s.t.Context(), "Inventory", "package", repoPath(s.t, "examples", "inventory"))
	require.NoError(s.t, err)
	for _, c := range change {
		c()
	}
	var out wire.Sequence
	err = s.API.Do(s.t.Context(), http.MethodPost, "/api/v1/sequences", wire.SequenceImport{
		Name: "Inventory", XML: strings.ReplaceAll(examples.Inventory, "BYD00003", pkg),
	}, &out)
	require.NoError(s.t, err)
	d := s.deploy(wire.DeploymentSpec{
		TaskSequence: out.ID, Purpose: wire.Required, MakeAvailableTo: wire.Clients, DeploymentOption: wire.AllBefore,
		Assignments: []wire.Assignment{when},
	}, device)
	return s.until(device, deployLimit, func(r wire.RunInfo) bool { return r.Deployment == d.ID && r.Ended != nil })
}

// refusesDamage flips a byte of a package that the installed agent downloads
// before the first step: the run fails and no step was run (DOP-12, DOP-14).
func (s *scene) refusesDamage(device string) {
	s.t.Helper()
	run := s.inventory(device, wire.Assignment{Kind: wire.ASAP}, func() {
		flipByte(s.t, filepath.Join(s.DataDir(), "content"), "Writes what this machine is")
	})
	require.Equal(s.t, wire.RunFailed, run.State)
	require.Equal(s.t, uint32(0x80091007), run.ExitCode, run.Message)
	require.NotEmpty(s.t, run.Remedy)
	require.Zero(s.t, run.Current, "no step was begun: %s", run.Step)
}

// TestDiskTooSmall: the image does not fit; the run says so and nothing was
// written.
func TestDiskTooSmall(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	sequence, err := s.Sequence(t.Context(), "Deploy Debian", examples.Debian)
	require.NoError(t, err)
	spec := small("tiny", lab.BIOS, 0x25)
	spec.Disks[0].Size = 400 << 20
	s.device(spec)
	_, err = s.DeployNow(t.Context(), spec.Name, sequence)
	require.NoError(t, err)
	m := s.boot(spec)
	run := s.ended("tiny")
	require.Equal(t, wire.RunFailed, run.State)
	require.Equal(t, "Apply operating system image", run.FailedStep)
	require.Regexp(t, `(?i)too small|no space|does not fit`, run.Message)
	require.NotEmpty(t, run.Remedy)
	s.wait(m, wire.MarkRunFailed)
}
