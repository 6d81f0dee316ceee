package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

var resumedLine = regexp.MustCompile(`image "Reference tar": \d+ bytes; ([1-9]\d*) of (\d+) pieces were at the appliance before`)

// TestIMG1Reference: a machine is deployed, changed, prepared for capture and
// captured into the appliance, as tar and as WIM, without any share; both images
// are deployed to blank machines, which start and report (IMG-1, TS-118b). The
// reference machine loses power in one capture, the appliance dies in the other.
func TestIMG1Reference(t *testing.T) {
	needsVM(t, true)
	s := newScene(t)
	ref := small("ref", lab.BIOS, 0x90)
	ref.MemoryMiB, ref.Disks[0].Size = 1536, 3<<30
	s.device(ref)
	_, err := s.DeployNow(t.Context(), ref.Name, s.sequenceFile("reference.yaml", []string{"IMAGE", s.OSImage}, "--boot-image", s.BootImage))
	require.NoError(t, err)
	m := s.boot(ref)
	m = s.cutOffInCapture(m, ref)
	s.until(ref.Name, deployLimit, func(r wire.RunInfo) bool { return r.Step == "Capture as WIM" })
	s.waitForPieces(3)
	require.NoError(t, s.Kill())
	require.NoError(t, s.Start(t.Context()))
	run := s.succeeded(ref.Name)
	for _, p := range run.Phases {
		t.Logf("phase %-10s %6.1f s", p.Phase, p.Seconds)
	}
	console := s.wholeConsole()
	resumed := resumedLine.FindStringSubmatch(console)
	require.NotNil(t, resumed, "what came before the power cut is not sent again")
	t.Logf("%s of %s pieces were there before the power cut", resumed[1], resumed[2])
	own := factLine.FindStringSubmatch(console)
	require.Len(t, own, 5)
	require.NoError(t, m.Stop(t.Context()))

	images := map[string]wire.Package{}
	for _, p := range call[[]wire.Package](s, http.MethodGet, "/packages", nil) {
		if p.CapturedFrom == ref.Name {
			images[p.Name] = p
		}
	}
	require.Len(t, images, 2)
	tar := images["Reference tar"]
	require.Equal(t, []string{"osImage", "the lab", "with a payload", "2"}, []string{tar.Kind, tar.Author, tar.Description, tar.ImageVersion})

	const check = `sh -c "findmnt -n -o SOURCE,FSTYPE /"`
	whole := strings.ReplaceAll(debianWithFacts(t), check, `sh -c "sha256sum -c /etc/payload.sum"`)
	seen := map[string]facts{"ref": {own[1], own[2], own[3], ""}}
	for i, c := range []struct {
		name, image string
		firmware    lab.Firmware
	}{{"copy-tar", "Reference tar", lab.UEFI}, {"copy-wim", "Reference WIM", lab.BIOS}} {
		spec := small(c.name, c.firmware, 0x91+i)
		spec.MemoryMiB, spec.Disks[0].Size = 1536, 3<<30
		m, _ := s.deployPackage(spec, images[c.image].ID, whole)
		seen[c.name] = readFacts(s, m)
		require.Equal(t, c.name, seen[c.name].hostName)
		s.startsFromDisk(m)
		m, err := s.Lab.Machine(c.name)
		require.NoError(t, err)
		require.NoError(t, m.Stop(t.Context()))
	}
	ids, keys := map[string]bool{}, map[string]bool{}
	for _, f := range seen {
		ids[f.machineID], keys[f.sshKey] = true, true
	}
	require.Len(t, ids, 3, "each has its own machine-id")
	require.Len(t, keys, 3, "and its own host key")
}

// cutOffInCapture takes the power away when some pieces have come, and gives it
// back.
func (s *scene) cutOffInCapture(m *lab.Machine, spec lab.MachineSpec) *lab.Machine {
	s.t.Helper()
	s.until(spec.Name, deployLimit, func(r wire.RunInfo) bool { return r.Step == "Capture as tar" })
	s.waitForPieces(6)
	require.NoError(s.t, m.Stop(s.t.Context()))
	return s.boot(spec)
}

// waitForPieces waits until an upload to the appliance has that many pieces.
func (s *scene) waitForPieces(n int64) {
	s.t.Helper()
	end := time.After(bootLimit)
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		files, err := filepath.Glob(filepath.Join(s.DataDir(), "captures", "*", "pieces"))
		require.NoError(s.t, err)
		for _, f := range files {
			if info, err := os.Stat(f); err == nil && info.Size() >= n*32 {
				return
			}
		}
		select {
		case <-end:
			s.t.Fatal("no piece of the image comes")
		case <-tick.C:
		}
	}
}
