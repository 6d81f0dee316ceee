package site_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

func moment(t time.Time, utc bool) *wire.Moment { return &wire.Moment{At: t, UTC: utc} }

func TestCreateRefuses(t *testing.T) {
	s := sitetest.New(t)
	d := s.Device("lab-01", 1)
	col := s.Collection("lab", d)
	osd, generic := s.Sequence("os", true), s.Sequence("generic", false)
	broken, err := s.ImportSequence(s.Ctx, wire.SequenceImport{XML: `<sequence name="broken" refs="BYD0EEEE"/>`})
	require.NoError(t, err)
	require.False(t, broken.CanDeploy)
	no, asap := false, []wire.Assignment{{Kind: wire.ASAP}}
	for _, c := range []struct {
		rule, field string
		spec        wire.DeploymentSpec
	}{
		{"TSV-1", "taskSequence", wire.DeploymentSpec{TaskSequence: broken.ID, Collection: col.ID}},
		{"DEP-2", "collection", wire.DeploymentSpec{TaskSequence: osd.ID}},
		{"DEP-8", "purpose", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, Purpose: "Maybe"}},
		{"DEP-9", "makeAvailableTo", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, MakeAvailableTo: "Everybody"}},
		{"DEP-40", "makeAvailableTo", wire.DeploymentSpec{TaskSequence: generic.ID, Collection: col.ID, MakeAvailableTo: wire.MediaAndPXE}},
		{"DEP-41", "assignments", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, Assignments: asap}},
		{"DEP-10", "wakeUp", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, WakeUp: true}},
		{"DEP-16", "independent", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, Independent: &no}},
		{"DEP-43", "deploymentOption", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, MakeAvailableTo: wire.MediaAndPXE, DeploymentOption: wire.AllBefore}},
		{"DEP-43", "deploymentOption", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, MakeAvailableTo: wire.ClientsMediaAndPXE, DeploymentOption: wire.AllBefore}},
		{"DEP-43", "deploymentOption", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, MakeAvailableTo: wire.MediaAndPXEHidden, DeploymentOption: wire.AllBefore}},
		{"DEP-44", "deploymentOption", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, DeploymentOption: wire.DirectFromDP}},
		{"DEP-14", "assignments", wire.DeploymentSpec{TaskSequence: generic.ID, Collection: col.ID, Purpose: wire.Required}},
		{"DEP-13", "expire", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: col.ID, Available: moment(now.Add(time.Hour), true), Expire: moment(now, true)}},
		{"SCH-9", "assignments[0]", wire.DeploymentSpec{TaskSequence: generic.ID, Collection: col.ID, Purpose: wire.Required, Assignments: []wire.Assignment{{Kind: wire.Interval, Start: moment(now, true)}}}},
		{"SCH-9", "assignments[0]", wire.DeploymentSpec{TaskSequence: generic.ID, Collection: col.ID, Purpose: wire.Required, Assignments: []wire.Assignment{{Kind: wire.Weekly, Start: moment(now, true), Weekday: 1, Every: -1}}}},
		{"DEP-14", "assignments", wire.DeploymentSpec{TaskSequence: generic.ID, Collection: col.ID, Purpose: wire.Required, Assignments: slices.Repeat([]wire.Assignment{{Kind: wire.Once, Start: moment(now, true)}}, 16)}},
		{"HRD-7", "collection", wire.DeploymentSpec{TaskSequence: osd.ID, Collection: wire.AllSystems, Purpose: wire.Required, Assignments: asap}},
	} {
		t.Run(c.rule+" "+c.field, func(t *testing.T) {
			_, err := s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DeploymentSpec: c.spec, AcceptHighRisk: true})
			p := problem(t, err)
			require.Equal(t, c.rule, p.Rule, p.Detail)
			require.Equal(t, c.field, p.Field)
			require.NotEmpty(t, p.Remedy)
		})
	}
	list, err := s.Deployments(s.Ctx)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DeploymentSpec: wire.DeploymentSpec{TaskSequence: osd.ID, Collection: wire.AllSystems}})
	require.NoError(t, err, "OPN-2: Available to All Systems is not high risk")
}

// S-04: high risk is Required and an OS, nothing else.
func TestHighRiskOfTheFourCombinations(t *testing.T) {
	s := sitetest.New(t)
	col := s.Collection("lab", s.Device("lab-01", 1))
	for _, os := range []bool{true, false} {
		seq := s.Sequence(fmt.Sprintf("os %t", os), os)
		for _, purpose := range []wire.Purpose{wire.Available, wire.Required} {
			spec := wire.DeploymentSpec{TaskSequence: seq.ID, Collection: col.ID, Purpose: purpose}
			if purpose == wire.Required {
				spec.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
			}
			r, err := s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DeploymentSpec: spec, DryRun: true})
			require.NoError(t, err)
			want := os && purpose == wire.Required
			require.Equal(t, want, r.HighRisk)
			require.Equal(t, want, r.Confirm != nil)
			require.Empty(t, r.Deployment.ID)
		}
	}
}

// S-116 to S-121.
func TestHighRiskReasons(t *testing.T) {
	s := sitetest.New(t)
	seq := s.Sequence("os", true)
	server, err := s.ImportDevice(s.Ctx, wire.DeviceImport{Name: "db", MACs: []string{sitetest.MAC(1)}, Server: true})
	require.NoError(t, err)
	dp, err := s.ImportDevice(s.Ctx, wire.DeviceImport{Name: "dp", MACs: []string{sitetest.MAC(2)}, SiteSystem: true})
	require.NoError(t, err)
	spec := wire.DeploymentSpec{TaskSequence: seq.ID, Collection: s.Collection("both", server, dp).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE}
	r, err := s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DeploymentSpec: spec})
	require.NoError(t, err)
	require.Equal(t, 2, r.Confirm.MemberCount)
	require.Len(t, r.Confirm.Reasons, 3)
	audits, err := s.Messages(s.Ctx, "audit")
	require.NoError(t, err)
	before := len(audits)

	r, err = s.CreateDeployment(site.WithActor(s.Ctx, "anna"), wire.DeploymentCreate{DeploymentSpec: spec, AcceptHighRisk: true})
	require.NoError(t, err)
	require.Nil(t, r.Confirm)
	audits, err = s.Messages(s.Ctx, "audit")
	require.NoError(t, err)
	require.Len(t, audits, before+1)
	require.Equal(t, "HRD-13", audits[0].Rule)
	require.Equal(t, "anna", audits[0].Actor)

	set := site.DefaultSettings()
	set.SiteSystems = "Block"
	require.NoError(t, s.SetSettings(s.Ctx, set))
	_, err = s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DeploymentSpec: spec, AcceptHighRisk: true})
	require.Equal(t, "HRD-11", problem(t, err).Rule)
	set.SiteSystems, set.DefaultSize, set.MaximumSize = "Warn", 1, 2
	require.NoError(t, s.SetSettings(s.Ctx, set))
	_, err = s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DeploymentSpec: spec, AcceptHighRisk: true})
	require.Equal(t, "HRD-5", problem(t, err).Rule)
}

func TestCreateWarns(t *testing.T) {
	s := sitetest.New(t)
	seq := s.Sequence("os", true)
	col := s.Collection("lab", s.Device("lab-01", 1))
	weekly := []wire.Assignment{{Kind: wire.Weekly, Weekday: 2, Start: moment(now, true)}}
	r, err := s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DryRun: true, DeploymentSpec: wire.DeploymentSpec{TaskSequence: seq.ID, Collection: col.ID,
		Purpose: wire.Required, MakeAvailableTo: wire.ClientsMediaAndPXE, Assignments: weekly, Available: moment(now, false)}})
	require.NoError(t, err)
	rules := map[string]bool{}
	for _, w := range r.Warnings {
		rules[w.Rule] = true
	}
	for _, rule := range []string{"SCH-2", "SCH-20", "HRD-16", "RRN-13"} {
		require.True(t, rules[rule], "%s in %v", rule, r.Warnings)
	}
}

// TSV-10 and S-10: disabling and breaking take effect where it is deployed.
func TestDisabledAndBrokenSequencesAreNotServed(t *testing.T) {
	s := sitetest.New(t)
	d := s.Device("lab-01", 1)
	pkg, err := s.ImportPackage(s.Ctx, wire.Package{Name: "image"}, "/dir")
	require.NoError(t, err)
	seq, err := s.ImportSequence(s.Ctx, wire.SequenceImport{XML: fmt.Sprintf(`<sequence name="os" os="true" boot="%s" refs="%s"/>`, s.Image.ID, pkg.ID)})
	require.NoError(t, err)
	s.Deploy(wire.DeploymentSpec{TaskSequence: seq.ID, Collection: s.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{s, t, 1}
	require.Equal(t, wire.ActionRun, m.firmware().Action)
	_, err = s.SetSequenceEnabled(s.Ctx, "os", false)
	require.NoError(t, err)
	require.Equal(t, "TSV-10", m.firmware().Considered[0].Rule)
	_, err = s.SetSequenceEnabled(s.Ctx, "os", true)
	require.NoError(t, err)
	who := m.session()
	run := m.run(who, m.firmware().Deployment, "k")
	_, err = s.DeletePackage(s.Ctx, pkg.ID)
	p := problem(t, err)
	require.Equal(t, "DOP-22", p.Rule, "a machine in the middle of its run is not left with half a package")
	require.Contains(t, p.Detail, "lab-01")
	require.NoError(t, s.Finish(s.Ctx, who, run.ID, wire.Finish{Message: "broken"}))
	gone, err := s.DeletePackage(s.Ctx, pkg.ID)
	require.NoError(t, err)
	require.Equal(t, wire.PackageDeleted{ID: pkg.ID, Files: 1, Bytes: 1}, gone)
	c := m.firmware().Considered[0]
	require.Equal(t, "TSV-1", c.Rule)
	require.Contains(t, c.Text, pkg.ID)
}

// WOL-1, WOL-11, WOL-12: one packet per member and occurrence, in its zone.
func TestWakeUps(t *testing.T) {
	s := sitetest.New(t)
	amsterdam, err := s.ImportDevice(s.Ctx, wire.DeviceImport{Name: "ams", MACs: []string{sitetest.MAC(1)}, Zone: "Europe/Amsterdam"})
	require.NoError(t, err)
	newYork, err := s.ImportDevice(s.Ctx, wire.DeviceImport{Name: "nyc", MACs: []string{sitetest.MAC(2)}, Zone: "America/New_York"})
	require.NoError(t, err)
	seq, col := s.Sequence("generic", false), s.Collection("lab", amsterdam, newYork)
	s.Deploy(wire.DeploymentSpec{TaskSequence: seq.ID, Collection: col.ID, Purpose: wire.Required, WakeUp: true,
		Assignments: []wire.Assignment{{Kind: wire.Once, Start: moment(time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC), false)}}}) // 10:00Z and 16:00Z
	tick := func(to time.Duration) int {
		s.Clock.Advance(to)
		require.NoError(t, s.PlanWakes(s.Ctx))
		n, err := s.SendWakes(s.Ctx)
		require.NoError(t, err)
		return n
	}
	require.Equal(t, 0, tick(59*time.Minute))
	require.Equal(t, 1, tick(time.Minute))
	require.Equal(t, 0, tick(0), "not twice")
	require.Equal(t, 0, tick(time.Hour))
	require.Equal(t, 1, tick(5*time.Hour))
	require.Equal(t, []string{sitetest.MAC(1), sitetest.MAC(2)}, s.Waker.Woken)

	s.Deploy(wire.DeploymentSpec{TaskSequence: seq.ID, Collection: col.ID, Purpose: wire.Required, WakeUp: true})
	require.Equal(t, 2, tick(time.Second), "WOL-11: as soon as possible means at creation")
	records, err := s.WakeRecords(s.Ctx)
	require.NoError(t, err)
	require.Len(t, records, 4)

	set := site.DefaultSettings()
	set.WakeOnLAN = false
	require.NoError(t, s.SetSettings(s.Ctx, set))
	r, err := s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DeploymentSpec: wire.DeploymentSpec{TaskSequence: seq.ID, Collection: col.ID, Purpose: wire.Required, WakeUp: true,
		Assignments: []wire.Assignment{{Kind: wire.ASAP}}}})
	require.NoError(t, err)
	require.Equal(t, "WOL-2", r.Warnings[0].Rule)
	require.Equal(t, 0, tick(time.Second))
}

// MWN-18: in the boot environment a Required deployment is offered only inside
// a window, by the device's own clock face.
func TestClosedWindowHoldsARequiredDeploymentBack(t *testing.T) {
	s := sitetest.New(t)
	now := s.Clock.Now().UTC()
	device, err := s.ImportDevice(s.Ctx, wire.DeviceImport{Name: "lab-01", MACs: []string{sitetest.MAC(1)}, UUID: sitetest.UUID(1), Zone: "Asia/Tokyo", Arch: "amd64"})
	require.NoError(t, err)
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	require.NoError(t, err)
	open := func(start time.Time) []wire.Window {
		face := start.In(tokyo)
		at := time.Date(face.Year(), face.Month(), face.Day(), face.Hour(), face.Minute(), 0, 0, time.UTC)
		return []wire.Window{{Name: "night", Length: 60, AppliesTo: "all", Schedule: wire.Assignment{Kind: wire.Once, Start: &wire.Moment{At: at}}}}
	}
	_, err = s.CreateCollection(s.Ctx, wire.CollectionCreate{Name: "lab", Members: []string{device.Name}, Windows: open(now.Add(2 * time.Hour))})
	require.NoError(t, err)
	settings, err := s.Settings(s.Ctx)
	require.NoError(t, err)
	settings.WindowsApplyInWinPE = true
	require.NoError(t, s.SetSettings(s.Ctx, settings))
	s.Deploy(wire.DeploymentSpec{TaskSequence: s.Sequence("os", true).ID, Collection: "lab", Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{s, t, 1}
	require.Equal(t, "MWN-18", m.firmware().Considered[0].Rule)
	s.Clock.Advance(2*time.Hour + time.Minute)
	require.Equal(t, wire.ActionRun, m.firmware().Action)
	s.Clock.Advance(time.Hour)
	require.Equal(t, "MWN-18", m.firmware().Considered[0].Rule)
}

// A sequence that is replaced in the middle of a run takes none of its content away (DOP-22).
func TestReplacedSequenceKeepsARunsContent(t *testing.T) {
	s := sitetest.New(t)
	pkg, err := s.ImportPackage(s.Ctx, wire.Package{Name: "Tools"}, "/src")
	require.NoError(t, err)
	in := wire.SequenceImport{XML: `<sequence name="S" refs="` + pkg.ID + `">`, Name: "S", BootImage: s.Image.ID}
	q, err := s.ImportSequence(s.Ctx, in)
	require.NoError(t, err)
	s.Deploy(wire.DeploymentSpec{TaskSequence: q.ID, Collection: s.Collection("lab", s.Device("lab-01", 1)).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{s, t, 1}
	who := m.session()
	run := m.run(who, m.firmware().Deployment, "k")
	in.ID, in.XML, in.Replace = q.ID, `<sequence name="S">`, true
	_, err = s.ImportSequence(s.Ctx, in)
	require.NoError(t, err)

	_, err = s.ContentLocations(s.Ctx, who, pkg.ID)
	require.NoError(t, err)
	_, err = s.DeletePackage(s.Ctx, pkg.ID)
	require.Equal(t, "DOP-22", problem(t, err).Rule)
	again, err := s.Run(s.Ctx, who, run.ID)
	require.NoError(t, err)
	require.Equal(t, []string{pkg.ID}, again.Packages)
	require.NoError(t, s.Finish(s.Ctx, who, run.ID, wire.Finish{Succeeded: true}))
	_, err = s.ContentLocations(s.Ctx, who, pkg.ID)
	require.Equal(t, 404, problem(t, err).Status)
}
