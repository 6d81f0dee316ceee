package appliance

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/pxe"
)

func TestEveryActionHasItsAnswer(t *testing.T) {
	for from, to := range map[wire.Action]pxe.Action{
		wire.ActionRun: pxe.BootEnvironment, wire.ActionResume: pxe.BootEnvironment, wire.ActionMenu: pxe.Menu,
		wire.ActionLocal: pxe.LocalDisk, wire.ActionNothing: pxe.Ignore, "what comes later": pxe.Ignore,
	} {
		require.Equal(t, to, action(from), from)
	}
	for from, to := range map[pxe.Stage]wire.BootStage{
		pxe.StageDiscover: wire.StageDHCP, pxe.StageRequest: wire.StageDHCP, pxe.StageProxy4011: wire.StageDHCP,
		pxe.StageTFTP: wire.StageLoader, pxe.StageLoader: wire.StageLoader, pxe.StageScript: wire.StageScript,
	} {
		require.Equal(t, to, stage(from), from)
	}
	for from, to := range map[pxe.Arch]string{
		pxe.ArchBIOS: "amd64", pxe.ArchX64: "amd64", pxe.ArchX64Old: "amd64", pxe.ArchX64HTTP: "amd64", pxe.ArchIA32: "386",
		pxe.ArchARM64: "arm64", pxe.ArchARM64HTTP: "arm64", pxe.ArchARM32: "arm", pxe.ArchUnknown: "",
	} {
		require.Equal(t, to, goArch(from), from)
	}
}

func TestRequiredDeploymentGetsItsFilesAtTheScriptOnly(t *testing.T) {
	b := newBench(t)
	_, image := b.deploy(wire.Required)
	p := b.policy()
	b.cfg.PXE.KernelArgs = "iommu=off"
	b.live.set(b.cfg)
	d := b.decide(p, machine(pxe.StageDiscover))
	require.Equal(t, pxe.BootEnvironment, d.Action)
	require.Empty(t, d.Args, "the firmware's broadcast is answered without a secret")
	require.Empty(t, d.Files)

	d = b.decide(p, machine(pxe.StageScript))
	require.Equal(t, pxe.BootEnvironment, d.Action)
	require.Len(t, d.Files, 3)
	require.Contains(t, d.Files[0].URL, b.cfg.HTTP.URL+"/f/")
	require.Contains(t, d.Files[0].URL, "/"+testMAC+"/"+image.ID+"/"+kernelName)
	for _, want := range []string{wire.ArgURL + "=" + b.cfg.HTTPS.URL, wire.ArgCA + "=" + b.ca.SPKI(), wire.ArgMAC + "=" + testMAC, wire.ArgBoot + "=" + d.BootID, "iommu=off"} {
		require.Contains(t, strings.Fields(d.Args), want)
	}
}

func TestMenuListsWhatIsAvailableAndCarriesTheChoice(t *testing.T) {
	b := newBench(t)
	dep, _ := b.deploy(wire.Available)
	d := b.decide(b.policy(), machine(pxe.StageScript))
	require.Equal(t, pxe.Menu, d.Action)
	require.Equal(t, []pxe.MenuEntry{{ID: dep.ID, Title: "seq"}}, d.Entries)
	require.Equal(t, b.cfg.PXE.MenuTimeout, d.Timeout)
	m := machine(pxe.StageScript)
	m.Choice = dep.ID
	d = b.decide(b.policy(), m)
	require.Equal(t, pxe.BootEnvironment, d.Action)
	require.Contains(t, strings.Fields(d.Args), wire.ArgPick+"="+dep.ID)
}

// A stranger hears nothing from DHCP and gets the local disk from a loader.
func TestUnknownMachine(t *testing.T) {
	b := newBench(t)
	b.deploy(wire.Required)
	m := machine(pxe.StageDiscover)
	m.MAC, m.UUID = net.HardwareAddr{0x52, 0x54, 0, 0, 9, 9}, ""
	for _, stage := range []pxe.Stage{pxe.StageDiscover, pxe.StageRequest, pxe.StageProxy4011} {
		m.Stage = stage
		require.Equal(t, pxe.Ignore, b.decide(b.policy(), m).Action, stage)
	}
	m.Stage = pxe.StageScript
	d := b.decide(b.policy(), m)
	require.Equal(t, pxe.LocalDisk, d.Action)
	require.Empty(t, d.Files)
	require.Empty(t, d.Args)
}

// PXE-4: no answer, without exception; also no address in server mode.
func TestExcludedMachineGetsNothing(t *testing.T) {
	b := newBench(t)
	b.deploy(wire.Required)
	p := b.policy()
	b.cfg.PXE.Exclude = []string{strings.ToUpper(strings.ReplaceAll(testMAC, ":", "-"))}
	b.live.set(b.cfg)
	d := b.decide(p, machine(pxe.StageDiscover))
	require.Equal(t, pxe.Ignore, d.Action)
	require.True(t, d.Silent)
	b.cfg.PXE.Exclude = nil
	b.live.set(b.cfg)

	// PXE-2: the site's own list works without a restart.
	require.NoError(t, b.site.IgnoreID(t.Context(), store.Ignored{Kind: "excluded", Value: testMAC}))
	d = b.decide(b.policy(), machine(pxe.StageDiscover))
	require.Equal(t, pxe.Ignore, d.Action)
	require.Equal(t, "PXE-4", d.Rule)
	require.True(t, d.Silent)
}

// The script tells a machine the addresses on its own network.
func TestScriptNamesTheAddressNearTheMachine(t *testing.T) {
	b := newBench(t)
	b.deploy(wire.Required)
	b.reach.httpURL, b.reach.httpsURL, b.reach.httpPort, b.reach.httpsPort = "", "", 80, 443
	b.reach.networks = []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("10.2.0.1/24")}
	m := machine(pxe.StageScript)
	m.Address = netip.MustParseAddr("10.2.0.77")
	d := b.decide(b.policy(), m)
	require.Contains(t, d.Args, wire.ArgURL+"=https://10.2.0.1 ")
	require.True(t, strings.HasPrefix(d.Files[0].URL, "http://10.2.0.1/f/"), d.Files[0].URL)
}

// PXE-23: the loader tells nothing of what is deployed, the agent asks first.
func TestPXE23LoaderTellsNothing(t *testing.T) {
	b := newBench(t)
	dep, image := b.deploy(wire.Available)
	require.NoError(t, b.site.SetPXEPassword(t.Context(), "correct horse battery"))
	d := b.decide(b.policy(), machine(pxe.StageScript))
	require.Equal(t, pxe.Menu, d.Action)
	require.Len(t, d.Entries, 1)
	require.NotContains(t, d.Reason+d.Entries[0].ID+d.Entries[0].Title, dep.ID)
	require.NotContains(t, d.Entries[0].Title, "seq")
	for _, choice := range []string{d.Entries[0].ID, dep.ID} {
		m := machine(pxe.StageScript)
		m.Choice = choice
		got := b.decide(b.policy(), m)
		if choice == dep.ID {
			require.Equal(t, pxe.Menu, got.Action, "a guess says nothing")
			continue
		}
		require.Equal(t, pxe.BootEnvironment, got.Action)
		require.Contains(t, got.Files[0].URL, image.ID)
		require.NotContains(t, got.Args, wire.ArgPick)
	}
	require.NoError(t, b.site.SetPXEPassword(t.Context(), ""))
	m := machine(pxe.StageScript)
	m.Choice = anyChoice
	require.Equal(t, dep.ID, b.decide(b.policy(), m).Entries[0].ID, "the password was removed meanwhile")
}
