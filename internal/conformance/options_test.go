package conformance_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// options is the page Distribution Points: the deployment options with the
// three examples of the seed page.
func options() []row {
	return []row{
		{"S-78", optionIsStored}, {"S-89", optionsFollowTheDraft}, {"S-91", asNeeded}, {"S-92", allBefore}, {"S-93", allBeforeNotByPXE}, {"S-94", direct},
		{"S-95", everyPackageShared}, {"S-96", hashIsChecked}, {"S-97", directIsWarnedOf}, {"S-98", exampleOne}, {"S-99", exampleOneAllBefore},
		{"S-100", exampleOneDirect}, {"S-101", exampleTwo}, {"S-102", exampleTwoDirect}, {"S-103", shares}, {"S-104", noBootImage}, {"S-105", exampleThree},
	}
}

var withBoot = []wire.Availability{wire.ClientsMediaAndPXE, wire.MediaAndPXE, wire.MediaAndPXEHidden}

// offers maps each option of a draft to the rules that removed it; an offered
// one has none.
func (b *bench) offers(spec wire.DeploymentSpec) map[wire.Option][]string {
	b.t.Helper()
	out := map[wire.Option][]string{}
	for _, o := range b.dry(spec).Options {
		require.Equal(b.t, o.Offered, len(o.Reasons) == 0, "DOP-10: a reason for each that is missing")
		out[o.Option] = rules(o.Reasons)
	}
	require.Len(b.t, out, 3)
	return out
}

// onlyScripts is example three: packages with a share, no boot image.
func onlyScripts(b *bench, share bool) (wire.DeploymentSpec, []wire.Package) {
	b.t.Helper()
	packages, steps := []wire.Package{}, []string{}
	for _, name := range []string{"first", "second"} {
		p := b.pkgAs(map[string]any{"name": name, "packageShare": share}, "echo "+name)
		packages, steps = append(packages, p), append(steps, withPackage(name, p.ID, "sh "+name+".sh", false))
	}
	return wire.DeploymentSpec{TaskSequence: b.tasks("Scripts", steps...).ID, Collection: b.collection("PCs").ID}, packages
}

func exampleOneSpec(b *bench, a wire.Availability) wire.DeploymentSpec {
	b.t.Helper()
	return wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian for " + string(a)).ID, Collection: b.collection("PCs for " + string(a)).ID, MakeAvailableTo: a}
}

func optionIsStored(t *testing.T) {
	b := newBench(t)
	spec, _ := onlyScripts(b, true)
	for _, o := range []wire.Option{wire.AsNeeded, wire.AllBefore, wire.DirectFromDP} {
		require.Empty(t, b.offers(spec)[o])
		spec.DeploymentOption = o
		require.Equal(t, o, call[wire.Deployment](b, "GET", "/deployments/"+b.create(spec).ID, nil).DeploymentOption)
	}
	spec.DeploymentOption = "Later"
	require.Equal(t, "DEP-24", b.bad(spec).Rule)
	spec.DeploymentOption = ""
	require.Equal(t, wire.AsNeeded, b.create(spec).DeploymentOption, "the default")
}

func optionsFollowTheDraft(t *testing.T) {
	b := newBench(t)
	spec, packages := onlyScripts(b, true)
	require.Empty(t, b.offers(spec)[wire.DirectFromDP])
	b.pkgAs(map[string]any{"id": packages[0].ID, "packageShare": false}, "echo first again")
	require.Equal(t, []string{"DEP-44"}, b.offers(spec)[wire.DirectFromDP], "a package changed")
	os := exampleOneSpec(b, wire.Clients)
	require.Empty(t, b.offers(os)[wire.AllBefore])
	os.MakeAvailableTo = wire.ClientsMediaAndPXE
	require.Equal(t, []string{"DEP-43"}, b.offers(os)[wire.AllBefore], "the availability changed")
}

func asNeeded(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	one, two, unused := b.pkg("One", "echo 1"), b.pkg("Two", "echo 2"), b.pkg("Unused", "echo 3")
	b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("begin", "echo begin"), withPackage("one", one.ID, "sh one", false),
		withPackage("never", unused.ID, "sh never", true), withPackage("two", two.ID, "sh two", false)).ID,
		Collection: b.collection("PCs", c.device).ID, Purpose: wire.Required, Assignments: asap})
	_, n := b.journal.since(0)
	c.round()
	lines, _ := b.journal.since(n)
	require.Equal(t, []string{"command echo begin", "blob " + one.ID, "command sh one", "blob " + two.ID, "command sh two"}, lines)
}

func allBefore(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	one, two := b.pkg("One", "echo 1"), b.pkg("Two", "echo 2")
	spec := wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", withPackage("one", one.ID, "sh one", false), withPackage("two", two.ID, "sh two", false)).ID,
		Collection: b.collection("PCs", c.device).ID, Purpose: wire.Required, DeploymentOption: wire.AllBefore}
	due := start.Add(4 * time.Hour)
	spec.Assignments = onceAt(due)
	d := b.create(spec)
	back := b.damage("echo 2", func(path string) { require.NoError(t, os.Rename(path, path+".gone")) })
	for _, when := range []time.Time{start, due.Add(-time.Minute)} {
		b.at(when)
		_ = c.RunOnce(b.Ctx) // whether the round counts as failed is the agent's business
		require.Empty(t, b.runs(d.ID), "SCH-17: it waits until the deadline")
	}
	b.at(due)
	_ = c.RunOnce(b.Ctx)
	require.Zero(t, c.ran(), "no step, although the first one's content is there")
	runs := b.runs(d.ID)
	require.Len(t, runs, 1)
	require.Equal(t, wire.RunFailed, runs[0].State)
	require.True(t, contains(runs[0].Message, "no step was run", two.ID), runs[0].Message)

	require.NoError(t, os.Rename(back+".gone", back))
	_, n := b.journal.since(0)
	spec.Assignments = asap
	b.create(spec)
	c.at(due.Add(24 * time.Hour))
	lines, _ := b.journal.since(n)
	last := 0
	for i, line := range lines {
		if strings.HasPrefix(line, "blob ") {
			last = i
		}
	}
	require.Contains(t, lines, "blob "+two.ID)
	require.Equal(t, []string{"command sh one", "command sh two"}, lines[last+1:], "all downloads before the first step")
}

// damage finds the file of the library that holds text.
func (b *bench) damage(text string, do func(path string)) string {
	b.t.Helper()
	found := ""
	require.NoError(b.t, filepath.WalkDir(filepath.Join(b.library, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && string(data) == text {
			found = path
		}
		return err
	}))
	require.NotEmpty(b.t, found)
	do(found)
	return found
}

func hashIsChecked(t *testing.T) {
	for _, o := range []wire.Option{wire.AsNeeded, wire.AllBefore} {
		t.Run("DOP-14 "+string(o), func(t *testing.T) {
			b := newBench(t)
			c := b.client("pc-1", "UTC")
			p := b.pkg("Scripts", "echo good")
			d := b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", withPackage("use", p.ID, "sh run.sh", false)).ID,
				Collection: b.collection("PCs", c.device).ID, Purpose: wire.Required, Assignments: asap, DeploymentOption: o})
			b.damage("echo good", func(path string) {
				require.NoError(t, os.Chmod(path, 0o644))
				require.NoError(t, os.WriteFile(path, []byte("echo evil"), 0o644))
			})
			c.round()
			require.Zero(t, c.ran(), "what was altered is not used")
			runs := b.runs(d.ID)
			require.Len(t, runs, 1)
			require.Equal(t, wire.RunFailed, runs[0].State)
			require.Contains(t, runs[0].Message, p.ID)
			if o == wire.AllBefore {
				require.Contains(t, runs[0].Message, "no step was run")
				return
			}
			require.Equal(t, "use", runs[0].FailedStep)
		})
	}
}

func directIsWarnedOf(t *testing.T) {
	b := newBench(t)
	spec, _ := onlyScripts(b, true)
	require.NotContains(t, rules(b.dry(spec).Warnings), "DOP-15")
	spec.DeploymentOption = wire.DirectFromDP
	require.Contains(t, rules(b.dry(spec).Warnings), "DOP-15")
	alteredRuns(t)
}

func allBeforeNotByPXE(t *testing.T) {
	b := newBench(t)
	for _, a := range append([]wire.Availability{wire.Clients}, withBoot...) {
		spec := exampleOneSpec(b, a)
		spec.DeploymentOption = wire.AllBefore
		if a == wire.Clients {
			require.NotEmpty(t, b.create(spec).ID)
			continue
		}
		p := b.bad(spec)
		require.Equal(t, "DEP-43", p.Rule, a)
		require.Equal(t, "deploymentOption", p.Field)
	}
}

func everyPackageShared(t *testing.T) {
	b := newBench(t)
	spec, packages := onlyScripts(b, true)
	require.Empty(t, b.offers(spec)[wire.DirectFromDP])
	b.pkgAs(map[string]any{"id": packages[1].ID, "packageShare": false}, "echo second")
	require.Equal(t, []string{"DEP-44"}, b.offers(spec)[wire.DirectFromDP])
	b.pkgAs(map[string]any{"id": packages[1].ID, "packageShare": true}, "echo second")
	require.Empty(t, b.offers(spec)[wire.DirectFromDP])
}

func exampleOne(t *testing.T) {
	b := newBench(t)
	for _, a := range withBoot {
		got := b.offers(exampleOneSpec(b, a))
		require.Empty(t, got[wire.AsNeeded], a)
		require.NotEmpty(t, got[wire.AllBefore], a)
		require.NotEmpty(t, got[wire.DirectFromDP], a)
	}
}

func exampleOneAllBefore(t *testing.T) {
	b := newBench(t)
	for _, a := range withBoot {
		require.Equal(t, []string{"DEP-43"}, b.offers(exampleOneSpec(b, a))[wire.AllBefore], a)
	}
}

func exampleOneDirect(t *testing.T) {
	b := newBench(t)
	for _, a := range withBoot {
		require.Equal(t, []string{"DEP-44"}, b.offers(exampleOneSpec(b, a))[wire.DirectFromDP], a)
	}
}

func exampleTwo(t *testing.T) {
	b := newBench(t)
	got := b.offers(exampleOneSpec(b, wire.Clients))
	require.Empty(t, got[wire.AsNeeded])
	require.Empty(t, got[wire.AllBefore])
	require.NotEmpty(t, got[wire.DirectFromDP])
}

func exampleTwoDirect(t *testing.T) {
	b := newBench(t)
	require.Equal(t, []string{"DEP-44"}, b.offers(exampleOneSpec(b, wire.Clients))[wire.DirectFromDP])
}

func shares(t *testing.T) {
	b := newBench(t)
	_, packages := onlyScripts(b, true)
	for _, p := range packages {
		require.True(t, call[wire.Package](b, "GET", "/packages/"+p.ID, nil).PackageShare)
	}
	sharePresent(t)
}

// TestDOPT4SharedBootImage: with media and PXE, and everything shared, there are AsNeeded and DirectFromDP.
func TestDOPT4SharedBootImage(t *testing.T) {
	b := newBench(t)
	spec := exampleOneSpec(b, wire.MediaAndPXE)
	share := func(id, action string) { call[wire.Package](b, "POST", "/packages/"+id+"/"+action, nil) }
	for _, p := range call[[]wire.Package](b, "GET", "/packages", nil) {
		share(p.ID, "share")
	}
	require.Equal(t, []string{"DEP-44"}, b.offers(spec)[wire.DirectFromDP], "DOP-8: the boot image counts")
	share(b.Image.ID, "share")
	got := b.offers(spec)
	require.Empty(t, got[wire.AsNeeded])
	require.Equal(t, []string{"DEP-43"}, got[wire.AllBefore])
	require.Empty(t, got[wire.DirectFromDP])
	spec.DeploymentOption = wire.DirectFromDP
	require.NotEmpty(t, b.create(spec).ID)
	share(b.Image.ID, "unshare")
	require.Equal(t, "DEP-44", b.bad(spec).Rule)
}

func noBootImage(t *testing.T) {
	b := newBench(t)
	spec, _ := onlyScripts(b, true)
	for _, a := range withBoot {
		spec.MakeAvailableTo = a
		p := b.bad(spec)
		require.Equal(t, "DEP-40", p.Rule)
		require.Equal(t, "makeAvailableTo", p.Field)
	}
	spec.MakeAvailableTo = wire.Clients
	require.NotEmpty(t, b.create(spec).ID)
}

func exampleThree(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	spec, _ := onlyScripts(b, true)
	for o, reasons := range b.offers(spec) {
		require.Empty(t, reasons, o)
	}
	spec.Collection, spec.Purpose, spec.Assignments = b.collection("One", c.device).ID, wire.Required, asap
	for n, o := range []wire.Option{wire.AsNeeded, wire.AllBefore} {
		spec.DeploymentOption = o
		b.create(spec)
		c.round()
		require.Equal(t, 2*(n+1), c.ran(), o)
	}
	exampleThreeDirect(t)
}
