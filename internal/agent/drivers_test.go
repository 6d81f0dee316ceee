package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// withDrivers is a disk to which drivers can be added.
type withDrivers struct {
	*disk
	added *[]string
}

func (d withDrivers) Capabilities() machine.Capabilities {
	c := d.disk.Capabilities()
	c.DriverStore = d
	return c
}

func (d withDrivers) AddDrivers(_ context.Context, r machine.DriverRequest) ([]string, error) {
	*d.added = append(*d.added, r.PackageID)
	_, err := os.Stat(filepath.Join(r.Dir, "image.tar"))
	return nil, err
}

// cards are the facts of a machine with two devices, one of which is served by a compatible id only.
func cards() *fact.Sheet {
	s := &fact.Sheet{Environment: "winpe"}
	s.Add("", "Win32_PnPEntity",
		fact.Instance{{Name: "Name", Value: "a card"}, {Name: "HardwareID", Value: []any{`PCI\VEN_8086&DEV_15FB&SUBSYS_1`, `PCI\VEN_8086&DEV_15FB`}}, {Name: "CompatibleID", Value: []any{`PCI\CC_0200`}}},
		fact.Instance{{Name: "Name", Value: "nothing to match"}},
		fact.Instance{{Name: "HardwareID", Value: []any{`PCI\VEN_1&DEV_1`}}, {Name: "CompatibleID", Value: []any{`PCI\CC_010601`}}})
	return s
}

// A machine in the boot environment tells the site its devices, gets the best of the site's drivers for each, downloads
// only those, and may not have others.
func TestAutoApplyDrivers(t *testing.T) {
	var added []string
	var old, best, storage wire.Package
	r := bootRealSite(t, func(files *appliance) site.ContentLibrary { return library{files} }, func(r *realSite) string {
		driver := func(name, version string, ids ...string) wire.Package {
			dir := t.TempDir()
			text := "[Version]\nClass=Net\nDriverVer=" + version + "\n[Manufacturer]\nM=M,NT" + runtime.GOARCH + "\n[M.NT" + runtime.GOARCH + "]\nx=i," + strings.Join(ids, ",") + "\n"
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "Driver.INF"), []byte(text), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "autorun.inf"), []byte("[autorun]\nopen=x\n"), 0o600))
			p, err := r.site.ImportPackage(r.site.Ctx, wire.Package{Name: name, Kind: wire.KindDriverPackage}, dir)
			require.NoError(t, err)
			return p
		}
		old = driver("old", "01/02/2020,1.0.0.0", `pci\ven_8086&dev_15fb`)
		best = driver("best", "01/02/2024,2.0.0.0", `PCI\VEN_8086&DEV_15FB`)
		storage = driver("storage", "01/02/2019,1.0.0.0", `PCI\CC_010601`)
		driver("of no category", "01/02/2025,9.0.0.0", `PCI\VEN_8086&DEV_15FB`)
		for _, p := range []wire.Package{old, best, storage} {
			_, err := r.site.SetDriverCategories(r.site.Ctx, p.ID, []string{"Lab", "lab"})
			require.NoError(t, err)
		}
		list, err := r.site.DriverPackages(r.site.Ctx)
		require.NoError(t, err)
		require.Len(t, list, 4)
		require.Equal(t, []string{"Lab"}, list[0].Categories)
		require.Len(t, list[0].Drivers, 1)
		require.Equal(t, "sub/Driver.INF", list[0].Drivers[0].INF)

		r.config.Facts = cards
		r.config.NewTarget = func(target agent.TargetRequest) agent.Target {
			return withDrivers{&disk{dir: r.state, files: target.Files}, &added}
		}
		step := installStep("AutoApplyAction", "drivers", "OSDAutoApplyDriverCategoryList=LAB")
		step = strings.ReplaceAll(step, `hidden="true"`, "")
		return strings.Replace(osSequence(), `<step type="SMS_TaskSequence_SetupWindowsAndSMSAction"`, step+`<step type="SMS_TaskSequence_SetupWindowsAndSMSAction"`, 1)
	})
	require.Equal(t, []string{best.ID, storage.ID}, added, "the newest of equal rank, then the one by a compatible id")

	runs, err := r.site.Runs(r.site.Ctx, r.device.ID, "", 10)
	require.NoError(t, err)
	who := site.Session{Device: r.device.ID}
	other, err := r.site.ImportPackage(r.site.Ctx, wire.Package{Name: "other"}, "/nowhere")
	require.NoError(t, err)
	for id, may := range map[string]bool{best.ID: true, other.ID: false} {
		_, err := r.site.ContentLocations(r.site.Ctx, who, id)
		require.Equal(t, may, err == nil, "%v", err)
	}
	require.Equal(t, wire.FullOS, runs[0].Awaits)

	// Without the step in its sequence a machine is offered nothing, and gets no content.
	a := r.client(t)
	require.NoError(t, a.RunOnce(context.Background()))
	_, err = r.site.DriverOffers(r.site.Ctx, who, wire.DriverQuery{IDs: []string{`PCI\CC_010601`}})
	require.ErrorContains(t, err, "no active run")
	_, err = r.site.ContentLocations(r.site.Ctx, who, best.ID)
	require.Error(t, err)
	_, err = r.site.DriverOffers(r.site.Ctx, who, wire.DriverQuery{IDs: make([]string, wire.MaxDriverIDs+1)})
	require.ErrorContains(t, err, "at most")

	_, err = r.site.DeletePackage(r.site.Ctx, old.ID)
	require.NoError(t, err)
	_, err = r.site.DriverPackage(r.site.Ctx, old.ID)
	require.ErrorContains(t, err, "no driver package")
}
