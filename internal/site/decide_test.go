package site_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const (
	available = wire.Available
	required  = wire.Required
)

// dep is a candidate in short form. The sequence's id follows the image's.
func dep(id string, purpose wire.Purpose, to wire.Availability, change ...func(*site.CandidateFacts)) site.CandidateFacts {
	c := site.CandidateFacts{WindowOpen: true,
		Deployment: wire.Deployment{ID: id, Enabled: true, DeploymentSpec: wire.DeploymentSpec{TaskSequence: "SEQ" + id[3:], Purpose: purpose, MakeAvailableTo: to, DeploymentOption: wire.AsNeeded}},
		Sequence:   wire.Sequence{ID: "SEQ" + id[3:], Name: "seq " + id, Enabled: true, BootImage: "BYD00001"}}
	for _, f := range change {
		f(&c)
	}
	return c
}

func image(id string) func(*site.CandidateFacts) {
	return func(c *site.CandidateFacts) { c.Sequence.BootImage = id }
}

func sequence(id string) func(*site.CandidateFacts) {
	return func(c *site.CandidateFacts) { c.Deployment.TaskSequence, c.Sequence.ID = id, id }
}

// known are the facts of a known UEFI machine whose firmware asks.
func known(list ...site.CandidateFacts) site.Facts {
	f := site.Facts{Now: now, Known: true, Served: &wire.Device{ID: "dev", Name: "lab-01", Kind: wire.KnownDevice}, Candidates: list, MediaGuard: 24 * time.Hour,
		BootImages: []wire.BootImage{{ID: "BYD00001", Arch: "amd64", Ready: true}, {ID: "BYD00002", Arch: "386", Ready: true}, {ID: "BYD00003", Arch: "arm64", Ready: true},
			{ID: "BYD00004", Arch: "amd64"}, {ID: "BYD00005", Arch: "amd64", Ready: true}}}
	f.Environment, f.Stage = wire.WinPE, wire.StageDHCP
	f.Identity = wire.Identity{Firmware: wire.UEFI, Arch: "amd64"}
	return f
}

func with(f site.Facts, change func(*site.Facts)) site.Facts {
	change(&f)
	return f
}

func agentAsks(f *site.Facts) { f.Stage = wire.StageAgent }

func medium(unattended bool) func(*site.Facts) {
	return func(f *site.Facts) { f.Stage, f.Media, f.Unattended = wire.StageAgent, "medium", unattended }
}

func handed(ids ...string) func(*site.Facts) {
	return func(f *site.Facts) {
		for _, id := range ids {
			f.Ledger = append(f.Ledger, store.LedgerEntry{Subject: "dev", Deployment: id, Handed: now.Add(-time.Hour)})
		}
	}
}

func running(awaits wire.Environment) func(*site.Facts) {
	return func(f *site.Facts) {
		f.ActiveBootImage = "BYD00001"
		f.ActiveRun = &store.Run{RunInfo: wire.RunInfo{ID: "run", Deployment: "BYD20009", Awaits: awaits}}
	}
}

func TestDecideByRule(t *testing.T) {
	const pxe, hidden, clients = wire.MediaAndPXE, wire.MediaAndPXEHidden, wire.Clients
	for _, c := range []struct {
		name       string
		facts      site.Facts
		action     wire.Action
		rule       string
		deployment string
		image      string
	}{
		{"PXE-4 excluded MAC gets no answer", with(known(dep("BYD20000", required, pxe)), func(f *site.Facts) { f.Excluded = true }), wire.ActionNothing, "PXE-4", "", ""},
		{"PXE-10a run awaits the boot environment", with(known(), running(wire.WinPE)), wire.ActionResume, "PXE-10a", "BYD20009", "BYD00001"},
		{"PXE-10a run awaits the installed OS", with(known(dep("BYD20010", required, pxe)), running(wire.FullOS)), wire.ActionLocal, "PXE-10a", "BYD20009", ""},
		{"PXE-10a medium in the middle of a run", with(with(known(dep("BYD20010", required, pxe)), medium(true)), running(wire.FullOS)), wire.ActionLocal, "PXE-10a", "BYD20009", ""},
		{"PXE-13 unknown, support off", site.Facts{Asker: site.Asker{Environment: wire.WinPE, Stage: wire.StageDHCP}, Candidates: []site.CandidateFacts{dep("BYD20000", required, pxe)}}, wire.ActionNothing, "PXE-13", "", ""},
		{"PXE-15a unknown but a loader asks", site.Facts{Asker: site.Asker{Environment: wire.WinPE, Stage: wire.StageScript}}, wire.ActionLocal, "PXE-13", "", ""},
		{"PXE-13 unknown, support on", with(known(dep("BYD20000", required, pxe)), func(f *site.Facts) { f.Known, f.Served, f.UnknownSupport = false, nil, true }), wire.ActionRun, "PXE-20", "BYD20000", "BYD00001"},
		{"PXE-14 clients only", known(dep("BYD20000", required, clients)), wire.ActionNothing, "PXE-15", "", ""},
		{"PXE-14 broken reference", known(dep("BYD20000", required, pxe, func(c *site.CandidateFacts) { c.Invalid = []wire.Reason{{Rule: "TSV-2", Text: "gone"}} })), wire.ActionNothing, "PXE-15", "", ""},
		{"TSV-10 disabled sequence", known(dep("BYD20000", required, pxe, func(c *site.CandidateFacts) { c.Sequence.Enabled = false })), wire.ActionNothing, "PXE-15", "", ""},
		{"SCH-1 not yet available and expired do not matter", known(dep("BYD20000", required, pxe, func(c *site.CandidateFacts) {
			c.Deployment.Available, c.Deployment.Expire = &wire.Moment{At: now.Add(time.Hour)}, &wire.Moment{At: now.Add(-time.Hour)}
		})), wire.ActionRun, "PXE-20", "BYD20000", "BYD00001"},
		{"PXE-15 nothing deployed", known(), wire.ActionNothing, "PXE-15", "", ""},
		{"PXE-15a nothing deployed, a loader asks", with(known(), func(f *site.Facts) { f.Stage = wire.StageLoader }), wire.ActionLocal, "PXE-15", "", ""},
		{"PXE-16 handed out before", with(known(dep("BYD20000", required, pxe)), handed("BYD20000")), wire.ActionLocal, "PXE-16", "", "BYD00001"},
		{"PXE-17 cleared", known(dep("BYD20000", required, pxe)), wire.ActionRun, "PXE-20", "BYD20000", "BYD00001"},
		{"PXE-18 a newer one", with(known(dep("BYD20000", required, pxe), dep("BYD20001", required, pxe)), handed("BYD20000")), wire.ActionRun, "PXE-20", "BYD20001", "BYD00001"},
		{"PXE-18 an older one is not started after a newer", with(known(dep("BYD20000", required, pxe), dep("BYD20001", required, pxe)), handed("BYD20001")), wire.ActionLocal, "PXE-16", "", "BYD00001"},
		{"retry of the older one", with(known(dep("BYD20000", required, pxe), dep("BYD20001", required, pxe)), func(f *site.Facts) {
			handed("BYD20001")(f)
			f.Ledger = append(f.Ledger, store.LedgerEntry{Deployment: "BYD20000", Handed: now.Add(-2 * time.Hour), Retry: now})
		}), wire.ActionRun, "PXE-20", "BYD20000", "BYD00001"},
		{"PXE-20 required runs beside available", known(dep("BYD20000", required, pxe), dep("BYD20001", available, pxe)), wire.ActionRun, "PXE-20", "BYD20000", "BYD00001"},
		{"PXE-20 only available waits for a key", known(dep("BYD20000", available, pxe)), wire.ActionMenu, "PXE-20", "BYD20000", "BYD00001"},
		{"PXE-22 ledger and available", with(known(dep("BYD20000", required, pxe), dep("BYD20001", available, pxe)), handed("BYD20000")), wire.ActionMenu, "PXE-20", "BYD20001", "BYD00001"},
		{"PXE-24 preferred beats required", with(with(known(dep("BYD20000", required, pxe), dep("BYD20001", available, hidden)), medium(true)), func(f *site.Facts) { f.Preferred = "BYD20001" }), wire.ActionRun, "PXE-24", "BYD20001", "BYD00001"},
		{"S-37 preferred without unattended asks", with(with(known(dep("BYD20001", available, hidden)), medium(false)), func(f *site.Facts) { f.Preferred = "BYD20001" }), wire.ActionMenu, "MED-1", "BYD20001", "BYD00001"},
		{"S-37 ... and runs when confirmed", with(with(known(dep("BYD20001", available, hidden)), medium(false)), func(f *site.Facts) { f.Preferred, f.Chosen = "BYD20001", "BYD20001" }), wire.ActionRun, "PXE-24", "BYD20001", "BYD00001"},
		{"S-37 unattended without preferred", with(known(dep("BYD20001", available, hidden)), medium(true)), wire.ActionNothing, "PXE-25", "", "BYD00001"},
		{"PXE-24 list", with(known(dep("BYD20000", available, pxe), dep("BYD20001", available, pxe)), agentAsks), wire.ActionMenu, "PXE-24", "", "BYD00001"},
		{"PXE-24 nothing", with(known(), agentAsks), wire.ActionNothing, "PXE-24", "", ""},
		{"PXE-25 hidden makes the device answerable", known(dep("BYD20000", required, hidden)), wire.ActionMenu, "PXE-20", "", "BYD00001"},
		{"PXE-25 hidden cannot be chosen", with(known(dep("BYD20000", available, hidden)), func(f *site.Facts) { agentAsks(f); f.Chosen = "BYD20000" }), wire.ActionNothing, "PXE-24", "", "BYD00001"},
		{"PXE-26 preferred is not there", with(known(dep("BYD20000", required, pxe)), func(f *site.Facts) { agentAsks(f); f.Preferred = "BYD2FFFF" }), wire.ActionNothing, "PXE-26", "", "BYD00001"},
		{"PXE-26 preferred is for clients", with(known(dep("BYD20000", required, pxe), dep("BYD20001", required, clients)), func(f *site.Facts) { agentAsks(f); f.Preferred = "BYD20001" }), wire.ActionNothing, "PXE-26", "", "BYD00001"},
		{"PXE-27 newest required", known(dep("BYD20000", required, pxe), dep("BYD20001", required, pxe)), wire.ActionRun, "PXE-20", "BYD20001", "BYD00001"},
		{"PXE-28 same sequence: the oldest is shown", with(known(dep("BYD20000", available, pxe, sequence("S")), dep("BYD20001", available, pxe, sequence("S"))), agentAsks), wire.ActionMenu, "PXE-24", "BYD20000", "BYD00001"},
		{"PXE-31 highest id gives the image", known(dep("BYD20000", required, pxe), dep("BYD20001", available, pxe, image("BYD00005"))), wire.ActionRun, "PXE-20", "BYD20000", "BYD00005"},
		{"PXE-30 exact before compatible", with(known(dep("BYD20000", available, pxe), dep("BYD20001", available, pxe, image("BYD00002"))), func(f *site.Facts) { f.Identity.Firmware = wire.BIOS }), wire.ActionMenu, "PXE-20", "", "BYD00001"},
		{"PXE-32 BIOS x64 takes x86", with(known(dep("BYD20000", required, pxe, image("BYD00002"))), func(f *site.Facts) { f.Identity.Firmware = wire.BIOS }), wire.ActionRun, "PXE-20", "BYD20000", "BYD00002"},
		{"PXE-32 UEFI takes equal only", known(dep("BYD20000", required, pxe, image("BYD00002"))), wire.ActionNothing, "PXE-33", "", ""},
		{"PXE-33 arm64 image", known(dep("BYD20000", required, pxe, image("BYD00003"))), wire.ActionNothing, "PXE-33", "", ""},
		{"PXE-33 image without files", known(dep("BYD20000", required, pxe, image("BYD00004"))), wire.ActionNothing, "PXE-33", "", ""},
		{"MWN-18 outside the window", known(dep("BYD20000", required, pxe, func(c *site.CandidateFacts) { c.WindowOpen = false })), wire.ActionNothing, "PXE-15", "", ""},
		{"MWN-18 available ones are always offered", known(dep("BYD20000", available, pxe, func(c *site.CandidateFacts) { c.WindowOpen = false })), wire.ActionMenu, "PXE-20", "BYD20000", "BYD00001"},
		{"MWN-12 outside the window but allowed", known(dep("BYD20000", required, pxe, func(c *site.CandidateFacts) { c.WindowOpen, c.Deployment.InstallOutsideWindow = false, true })), wire.ActionRun, "PXE-20", "BYD20000", "BYD00001"},
		{"MED-3 unattended and several", with(known(dep("BYD20000", available, pxe), dep("BYD20001", available, pxe)), medium(true)), wire.ActionNothing, "MED-3", "", "BYD00001"},
		{"MED-25 the same medium again", with(with(known(dep("BYD20000", required, pxe)), medium(true)), func(f *site.Facts) { f.MediaSuccess, f.Preferred = now.Add(-23*time.Hour), "BYD20000" }), wire.ActionLocal, "MED-25", "", ""},
		{"MED-25 a day later", with(with(known(dep("BYD20000", required, pxe)), medium(true)), func(f *site.Facts) { f.MediaSuccess, f.Preferred = now.Add(-25*time.Hour), "BYD20000" }), wire.ActionRun, "PXE-24", "BYD20000", "BYD00001"},
		{"DEP-43 all before is impossible here", known(dep("BYD20000", required, pxe, func(c *site.CandidateFacts) { c.Deployment.DeploymentOption = wire.AllBefore })), wire.ActionNothing, "PXE-15", "", ""},
		{"full OS decides by itself", with(known(dep("BYD20000", required, clients)), func(f *site.Facts) { f.Environment = wire.FullOS }), wire.ActionNothing, "SCH-1", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := c.facts.Decide()
			require.Equal(t, c.action, d.Action, "%s (%s) %+v", d.Reason, d.Rule, d.Considered)
			require.Equal(t, c.rule, d.Rule, d.Reason)
			require.Equal(t, c.deployment, d.Deployment)
			require.Equal(t, c.image, d.BootImage)
			require.NotEmpty(t, d.Reason)
			require.Equal(t, d, c.facts.Decide(), "the same facts give the same answer")
			for _, k := range d.Considered {
				require.NotEmpty(t, k.Text, "every candidate has its reason: %+v", k)
			}
		})
	}
}

// S-35: a hidden deployment is in no list, and nothing else is lost by it.
func TestHiddenIsInNoList(t *testing.T) {
	d := with(known(dep("BYD20000", available, wire.MediaAndPXE), dep("BYD20001", available, wire.MediaAndPXEHidden)), agentAsks).Decide()
	require.True(t, d.Considered[0].Listed)
	require.False(t, d.Considered[1].Listed)
	require.True(t, d.Considered[1].Kept)
	require.Equal(t, "PXE-25", d.Considered[1].Rule)
}
