package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

// machine is one of TestMachines: a computer unlike the others, and what
// happens to the appliance while it is deployed.
type machine struct {
	spec  lab.MachineSpec
	index string // OSDDiskIndex; "none" leaves it out
	iso   bool   // boots an unattended medium, not the network
	fails string // what the run's message says, when it must fail
	kill  func(*scene, *lab.Machine)
	then  func(*scene, string) // after the deployment
	empty []int                // disks that must stay empty
}

// otherMachines differ from those of TestDeploy and the demo in firmware, bus,
// number and order of disks, network card, address and clock.
func otherMachines() map[string]machine {
	disks := func(d ...lab.Disk) []lab.Disk {
		for i := range d {
			d[i].Size = 4 << 30
		}
		return d
	}
	on := func(firmware lab.Firmware, mac, nic string, year int, d ...lab.Disk) lab.MachineSpec {
		spec := lab.MachineSpec{
			Name: "pc", Firmware: firmware, MAC: mac, NIC: nic, MemoryMiB: 1536, Disks: disks(d...),
			BootOrder: []lab.BootDevice{lab.BootNetwork, lab.BootDisk},
		}
		if year != 0 {
			spec.RTC = time.Date(year, 12, 31, 23, 50, 0, 0, time.UTC)
		}
		return spec
	}
	virtio, ahci, nvme, scsi, usb := lab.Disk{Bus: lab.Virtio}, lab.Disk{Bus: lab.AHCI}, lab.Disk{Bus: lab.NVMe}, lab.Disk{Bus: lab.SCSI}, lab.Disk{Bus: lab.USB}
	return map[string]machine{
		"uefi-ahci-e1000e-2001":    {spec: on(lab.UEFI, "00:1B:21:AB:CD:EF", "e1000e", 2001, ahci), kill: inTheLastStep},
		"bios-nvme-second-2050":    {spec: on(lab.BIOS, "D4:BE:D9:00:00:0A", "e1000", 2050, ahci, nvme), index: "1", kill: whileApplying, empty: []int{0}},
		"uefi-scsi-stick-first":    {spec: on(lab.UEFI, "02:ff:00:ff:00:fe", "", 0, usb, scsi), kill: inTheRestart, empty: []int{0}},
		"uefi-second-disk":         {spec: on(lab.UEFI, "F8:FF:C2:12:34:56", "", 0, virtio, ahci), index: "1", empty: []int{0}},
		"bios-two-disks-unnamed":   {spec: on(lab.BIOS, "", "", 0, virtio, nvme), index: "none", fails: "OSDDiskIndex", empty: []int{0, 1}},
		"bios-stick-first-unnamed": {spec: on(lab.BIOS, "", "", 0, usb, nvme), index: "none", empty: []int{0}, then: (*scene).refusesDamage},
		"iso-bios-nvme":            {spec: on(lab.BIOS, "", "", 2050, nvme), iso: true},
		"iso-uefi-ahci":            {spec: on(lab.UEFI, "", "e1000e", 2001, ahci), iso: true},
	}
}

// TestMachines deploys Debian to machines of many kinds, kills the appliance at
// another moment of each, and starts the deployed ones from their disk.
func TestMachines(t *testing.T) {
	for name, m := range otherMachines() {
		t.Run(name, func(t *testing.T) {
			needsVM(t, true)
			t.Parallel()
			s := newScene(t)
			s.deployTo(m)
		})
	}
}

func (s *scene) deployTo(m machine) {
	s.t.Helper()
	sequence, err := s.Sequence(s.t.Context(), "Deploy Debian", onDisk(debianWithFacts(s.t), m.index))
	require.NoError(s.t, err)
	// The lab chooses MAC and UUID where the spec does not; a device needs one.
	if m.spec.MAC == "" {
		m.spec.MAC = "52:54:00:e2:e1:01"
	}
	m.spec.UUID = "4c4c4544-0031-3010-8052-b4c04f315a31"
	s.device(m.spec)
	if m.iso {
		d := s.deploy(wire.DeploymentSpec{TaskSequence: sequence, Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXEHidden}, "pc")
		m.spec.CDROM = s.medium("--unattended", "--set", "SMSTSPreferredAdvertID="+d.ID)
		m.spec.BootOrder = []lab.BootDevice{lab.BootCD, lab.BootDisk, lab.BootNetwork}
	} else {
		_, err = s.DeployNow(s.t.Context(), "pc", sequence)
		require.NoError(s.t, err)
	}
	pc := s.boot(m.spec)
	if m.kill != nil {
		m.kill(s, pc)
	}
	run := s.ended("pc")
	if m.fails != "" {
		require.Equal(s.t, wire.RunFailed, run.State)
		require.Contains(s.t, run.Message+run.Remedy, m.fails)
	} else {
		require.Equal(s.t, wire.RunSucceeded, run.State, "step %q: %s (%s)", run.FailedStep, run.Message, run.Remedy)
		found := readFacts(s, pc)
		require.Equal(s.t, "pc", found.hostName)
		s.startsFromDisk(pc)
		pc, err = s.Lab.Machine("pc")
		require.NoError(s.t, err)
		if m.then != nil {
			m.then(s, "pc")
		}
	}
	for _, p := range run.Phases {
		s.t.Logf("phase %-10s %6.1f s", p.Phase, p.Seconds)
	}
	require.NoError(s.t, pc.Stop(s.t.Context()))
	for _, i := range m.empty {
		requireEmpty(s.t, pc.DiskFile(i))
	}
}

// onDisk changes the sequence's disk number.
func onDisk(sequence, index string) string {
	const line = `<variable name="OSDDiskIndex" property="DiskIndex">%s</variable>`
	switch index {
	case "":
		return sequence
	case "none":
		return strings.ReplaceAll(sequence, fmt.Sprintf(line, "0"), "")
	}
	return strings.ReplaceAll(sequence, fmt.Sprintf(line, "0"), fmt.Sprintf(line, index))
}

// killed ends the appliance as a crash would, when the run gets there, and starts
// it again when before has been seen on the console.
func (s *scene) killed(m *lab.Machine, when func(wire.RunInfo) bool, before string) {
	s.t.Helper()
	s.until("pc", deployLimit, when)
	require.NoError(s.t, s.Kill())
	if before != "" {
		ctx, cancel := context.WithTimeout(s.t.Context(), deployLimit)
		defer cancel()
		_, err := m.WaitConsole(ctx, before)
		require.NoError(s.t, err)
	}
	require.NoError(s.t, s.Start(s.t.Context()))
}

func whileApplying(s *scene, m *lab.Machine) {
	s.killed(m, func(r wire.RunInfo) bool {
		return r.Phase == wire.PhaseApply && r.Step == "Apply operating system image"
	}, "")
}

func inTheRestart(s *scene, m *lab.Machine) {
	s.killed(m, func(r wire.RunInfo) bool { return r.Phase == wire.PhaseRestart }, "")
}

// inTheLastStep: the installed system ends its sequence while nobody hears it.
func inTheLastStep(s *scene, m *lab.Machine) {
	s.killed(m, func(r wire.RunInfo) bool { return r.Awaits == wire.FullOS && r.Phase == wire.PhaseFinish }, factLine.String())
}
