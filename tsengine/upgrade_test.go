package tsengine_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/step"
)

func upgrade(v ...string) string {
	return typed("UpgradeOperatingSystemAction", "Upgrade", `continueOnError="true"`, append([]string{item("OSDUpgradeInstallPackageID", "BYD00005"), item("OSDUpgradeInstallEditionIndex", "3"),
		item("OSDUpgradeDynamicUpdateSettings", "Disable"), item("OSDUpgradePreserveSettings", "Upgrade")}, v...)...)
}

const upgradeResult = "code %_SMSTSOSUpgradeActionReturnCode% rollback %_SMSTSSetupRollback% ok %_SMSTSLastActionSucceeded%"

// TS-33: a scan that found nothing ends with 0xC1900210, which sequences compare as 3247440400.
func TestUpgradeScanTS33(t *testing.T) {
	p := &programs{answers: map[string]machine.Exit{"setup.exe": {Code: 0xC1900210}}}
	body := upgrade(item("OSDUpgradeScanOnly", "true"), item("OSDUpgradeIgnoreMessages", "true"), item("OSDSetupAdditionalUpgradeOptions", "/ShowOOBE none"), item("OSDUpgradeOsProductKey", "AAAAA-BBBBB-CCCCC")) +
		`<group name="fine">` + variableCondition("_SMSTSOSUpgradeActionReturnCode", "equals", "3247440400") + command("show", upgradeResult, "") + `</group>`
	r, log := onWindows(t, p, false, body)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"setup.exe /ImageIndex 3 /auto Upgrade /quiet /noreboot /compat ScanOnly /compat IgnoreWarning /DynamicUpdate Disable /pkey AAAAA-BBBBB-CCCCC /ShowOOBE none"}, p.started)
	require.Equal(t, []string{"code 3247440400 rollback %_SMSTSSetupRollback% ok false"}, r.commands.lines)
	require.NotContains(t, log, "AAAAA-BBBBB")
	require.Contains(t, log, "found no issues")
}

// TS-124: after the restart the step says whether Setup went back.
func TestUpgradeTS124(t *testing.T) {
	for name, back := range map[string]bool{"upgraded": false, "rolled back": true} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			marker := ""
			p := &programs{on: func(p machine.Program) {
				for i, a := range p.Args {
					if a == "/postrollback" {
						marker = strings.Split(p.Args[i+1], `"`)[1]
					}
				}
			}}
			s := parse(t, upgrade(item("OSDUpgradeStagedContent", `C:\drivers`))+command("show", upgradeResult, ""))
			first := execute(t, s, func(c *tsengine.Config) {
				c.Machine.Programs, c.Machine.Content = p, content{&bench{}}
			})
			require.Equal(t, tsengine.RestartRequested, first.result.Outcome, first.result.Error)
			require.Equal(t, step.HD, first.result.Restart.Target)
			require.Len(t, p.started, 1)
			require.Contains(t, p.started[0], `/InstallDrivers C:\drivers`)
			require.NotEmpty(t, marker)
			if back {
				require.NoError(t, os.WriteFile(marker, nil, 0o600)) // as Setup's command does
			}
			second := execute(t, s, func(c *tsengine.Config) {
				c.Machine.Programs, c.Checkpoint = p, first.store.last(t)
			})
			require.Equal(t, tsengine.Succeeded, second.result.Outcome, second.result.Error)
			require.Len(t, p.started, 1, "Setup runs once")
			want := "code 0 rollback false ok true"
			if back {
				want = "code 0 rollback true ok true"
			}
			require.Equal(t, []string{want}, second.commands.lines)
		})
	}
}

func TestUpgradeFailures(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		exit uint32
		code string
		log  string
	}{
		"blocked":   {upgrade(), 0xC1900208, "3247440392", "an application or a driver"},
		"space":     {upgrade(), 0xC190020E, "3247440398", "free space"},
		"no source": {typed("UpgradeOperatingSystemAction", "Upgrade", `continueOnError="true"`), 0, "", "neither an upgrade package"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &programs{answers: map[string]machine.Exit{"setup.exe": {Code: c.exit}}}
			r, log := onWindows(t, p, false, c.body+command("show", "code %_SMSTSOSUpgradeActionReturnCode% %_SMSTSLastActionSucceeded%", ""))
			require.Equal(t, tsengine.Succeeded, r.result.Outcome)
			if c.code == "" {
				c.code = "%_SMSTSOSUpgradeActionReturnCode%"
			}
			require.Equal(t, []string{"code " + c.code + " false"}, r.commands.lines)
			require.Contains(t, log, c.log)
		})
	}
}

func TestMatchDrivers(t *testing.T) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	nic := machine.Device{Name: "NIC", HardwareIDs: []string{`PCI\VEN_8086&DEV_15BE&SUBSYS_1`, `PCI\VEN_8086&DEV_15BE`}, CompatibleIDs: []string{`PCI\VEN_8086&CC_0200`, `PCI\CC_0200`}}
	gpu := machine.Device{Name: "GPU", HardwareIDs: []string{`PCI\VEN_10DE&DEV_1234`}}
	offers := []machine.DriverOffer{
		{PackageID: "A", IDs: []string{`PCI\CC_0200`}, Date: day.AddDate(1, 0, 0)},
		{PackageID: "B", IDs: []string{`pci\ven_8086&dev_15be`}, Date: day, Version: "1.9.0"},
		{PackageID: "C", IDs: []string{`PCI\VEN_8086&DEV_15BE`}, Date: day, Version: "1.10.0"},
		{PackageID: "D", IDs: []string{`PCI\VEN_FFFF`}},
	}
	best := step.MatchDrivers([]machine.Device{nic, gpu}, offers, true)
	require.Len(t, best, 1)
	require.Equal(t, "C", best[0].Offer.PackageID, "the more specific id, then the newer version")
	require.Equal(t, 1, best[0].Rank)
	var all []string
	for _, m := range step.MatchDrivers([]machine.Device{nic, gpu}, offers, false) {
		all = append(all, m.Offer.PackageID)
	}
	require.Equal(t, []string{"C", "B", "A"}, all)
	require.Empty(t, step.MatchDrivers([]machine.Device{gpu}, offers, true))
}
