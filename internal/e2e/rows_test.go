package e2e_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/stage"
	"github.com/bootyard/bootyard/internal/wire"
)

// onlyMediaAndPXE: the boot menu lists the deployment, Software Center does not
// (UX-4).
func onlyMediaAndPXE(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	spec := small("pc", lab.BIOS, 7)
	s.device(spec)
	d := s.deploy(wire.DeploymentSpec{TaskSequence: s.quick("Shown to firmware", "RAN"), Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXE}, "pc")
	m := s.boot(spec)
	s.wait(m, "- Shown to firmware")
	installed := call[wire.Decision](s, http.MethodGet, "/explain?in=fullos&device=pc", nil)
	require.Len(t, installed.Considered, 1)
	require.Equal(t, d.ID, installed.Considered[0].Deployment)
	require.False(t, installed.Considered[0].Kept, installed.Considered[0].Text)
}

// onlyByName: the boot menu lacks the hidden deployment, and a medium that
// prefers it runs it on the same machine (PXE-24, PXE-25).
func onlyByName(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t, func(c *stage.Config) { c.PXE = "  menu_timeout: 5s\n" })
	spec := small("pc", lab.BIOS, 8)
	s.device(spec)
	s.deploy(wire.DeploymentSpec{TaskSequence: s.quick("For everybody", "RAN"), Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXE}, "pc")
	d := s.deploy(wire.DeploymentSpec{TaskSequence: s.quick("Kept secret", "SECRET-RAN"), Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXEHidden}, "pc")
	m := s.boot(spec)
	s.wait(m, "- For everybody")
	s.wait(m, startsLocal) // the menu was whole, and is over
	text, err := m.ConsoleText()
	require.NoError(t, err)
	require.NotContains(t, text, "Kept secret")
	require.NoError(t, m.Stop(t.Context()))

	iso := s.medium("--unattended", "--set", "SMSTSPreferredAdvertID="+d.ID)
	m = s.boot(fromMedium("pc", lab.BIOS, 8, iso))
	s.wait(m, "SECRET-RAN")
	require.Equal(t, d.ID, s.succeeded("pc").Deployment)
}

// windowsHoldBack: outside the maintenance window of its collection a machine is
// not served, and the log says why; inside it boots (MWN-18).
func windowsHoldBack(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	spec := small("pc", lab.BIOS, 9)
	s.device(spec)
	window := func(name string, from time.Time, members ...string) wire.Collection {
		return call[wire.Collection](s, http.MethodPost, "/collections", wire.CollectionCreate{
			Name: name, Members: members, Windows: []wire.Window{{
				Name: name, Length: 60, AppliesTo: "all",
				Schedule: wire.Assignment{Kind: wire.Once, Start: &wire.Moment{At: from.Truncate(time.Second), UTC: true}},
			}},
		})
	}
	later := window("Tomorrow", time.Now().Add(24*time.Hour), "pc")
	r := call[wire.DeploymentResult](s, http.MethodPost, "/deployments", wire.DeploymentCreate{AcceptHighRisk: true, DeploymentSpec: wire.DeploymentSpec{
		TaskSequence: s.quick("In a window", "WINDOW-RAN"), Collection: later.ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE,
	}})

	m := s.boot(spec)
	b := s.booted("pc", func(b wire.Boot) bool { return len(b.Answers) > 0 })
	for _, a := range b.Answers {
		require.NotEqual(t, wire.ActionRun, a.Action)
		require.Regexp(t, "window", a.Reason)
	}
	log, err := os.ReadFile(s.Log())
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`mac=`+spec.MAC+` reason="[^"]*window`), string(log))
	require.NoError(t, m.Stop(t.Context()))

	window("Now", time.Now().Add(-10*time.Minute), "pc")
	m = s.boot(spec)
	s.wait(m, "WINDOW-RAN")
	require.Equal(t, r.Deployment.ID, s.succeeded("pc").Deployment)
}

// wakeUpPackets: a Required deployment with wake-up puts a magic packet with the
// member's MAC on the wire; an Available one is refused the option and sends
// nothing (WOL-1, DEP-10). No machine is needed to see it.
func wakeUpPackets(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s := newScene(t)
	sleeper, other := small("sleeper", lab.BIOS, 10), small("other", lab.BIOS, 11)
	s.device(sleeper)
	s.device(other)
	magic := make(chan lab.Frame, 64)
	capture, err := s.Lab.Capture(t.Context(), lab.CaptureOptions{Filter: magicFrame, Each: func(f lab.Frame) {
		select {
		case magic <- f:
		default: // more than any test sends
		}
	}})
	require.NoError(t, err)

	id := s.quick("Woken", "RAN")
	c := call[wire.Collection](s, http.MethodPost, "/collections", wire.CollectionCreate{Name: "Others", Members: []string{"other"}})
	available := wire.DeploymentSpec{TaskSequence: id, Collection: c.ID, Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXE, WakeUp: true}
	err = s.API.Do(t.Context(), http.MethodPost, "/api/v1/deployments", wire.DeploymentCreate{DeploymentSpec: available, AcceptHighRisk: true}, nil)
	require.ErrorContains(t, err, "DEP-10")
	available.WakeUp = false
	call[wire.DeploymentResult](s, http.MethodPost, "/deployments", wire.DeploymentCreate{DeploymentSpec: available, AcceptHighRisk: true})
	s.deploy(wire.DeploymentSpec{
		TaskSequence: id, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE, WakeUp: true,
		Assignments: []wire.Assignment{{Kind: wire.ASAP}},
	}, "sleeper")

	var first lab.Frame
	select {
	case first = <-magic:
	case <-time.After(time.Minute):
		require.Fail(t, "no magic packet")
	}
	_, err = capture.Stop()
	require.NoError(t, err)
	frames := []lab.Frame{first}
	for len(magic) > 0 {
		frames = append(frames, <-magic)
	}
	for _, f := range frames {
		require.True(t, wakesUp(f, sleeper.MAC), "% x", f.Data)
		require.False(t, wakesUp(f, other.MAC))
	}
}

// magicFrame says whether a frame is UDP to port 9 over IPv4, the agreed port of
// magic packets.
func magicFrame(f lab.Frame) bool {
	const header, ports = 14, 20
	return f.EtherType() == 0x0800 && len(f.Data) >= header+ports+8 && f.Data[header+9] == 17 && f.Data[header] == 0x45 &&
		f.Data[header+ports+2] == 0 && f.Data[header+ports+3] == 9
}

// wakesUp says whether a frame holds six bytes 0xff and sixteen times the MAC.
func wakesUp(f lab.Frame, mac string) bool {
	address, err := net.ParseMAC(mac)
	return err == nil && bytes.Contains(f.Data, append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(address, 16)...))
}
