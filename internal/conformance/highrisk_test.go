package conformance_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// highRisk is the section on high-risk deployments.
func highRisk() []row {
	return []row{
		{"S-108", pickerIsFiltered}, {"S-109", unknownComputersAreThere}, {"S-110", noBuiltIn}, {"S-111", pickerShowsLarge},
		{"S-112", countsOfNow}, {"S-113", growthChangesNothing}, {"S-114", belowDefault}, {"S-115", belowMaximum},
		{"S-116", siteSystemBlocks}, {"S-117", consent}, {"S-118", consentIsRecorded}, {"S-119", siteSystemWarns},
		{"S-120", exceedsDefault}, {"S-121", containsServer},
	}
}

// picks lists the names of the collections that the picker shows.
func (b *bench) picks(sequence, query string) []string {
	b.t.Helper()
	out := []string{}
	for _, c := range call[[]wire.Collection](b, "GET", "/collections-for/"+sequence+query, nil) {
		out = append(out, c.Name)
	}
	return out
}

// crowd makes devices without asking the API for each.
func (b *bench) crowd(n int) []wire.Device {
	b.t.Helper()
	out := make([]wire.Device, 0, n)
	for range n {
		b.count++
		out = append(out, b.Device(fmt.Sprintf("crowd-%d", b.count), b.count))
	}
	return out
}

func (b *bench) limits(size, most int) {
	b.t.Helper()
	set := call[wire.Settings](b, "GET", "/settings", nil)
	set.DefaultSize, set.MaximumSize = size, most
	call[struct{}](b, "PUT", "/settings", set)
}

// risky is a Required OS deployment.
func (b *bench) risky(c wire.Collection) wire.DeploymentSpec {
	b.t.Helper()
	return wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian for " + c.Name).ID, Collection: c.ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE}
}

func pickerIsFiltered(t *testing.T) {
	b := newBench(t)
	b.limits(3, 0)
	crowd := b.crowd(4)
	b.collection("Small", crowd[:2]...)
	b.collection("Large", crowd...)
	require.Equal(t, []string{"All Unknown Computers", "Small"}, sortedNames(b.picks(b.wipeAndLoad("Debian").ID, "")))
	all := b.picks(b.tasks("Tasks", command("one", "echo one")).ID, "")
	require.Subset(t, all, []string{"All Systems", "Small", "Large"}, "a generic one is not filtered")
}

func unknownComputersAreThere(t *testing.T) {
	b := newBench(t)
	require.Equal(t, []string{"All Unknown Computers"}, b.picks(b.wipeAndLoad("Debian").ID, ""))
}

func noBuiltIn(t *testing.T) {
	b := newBench(t)
	q := b.wipeAndLoad("Debian")
	require.NotContains(t, b.picks(q.ID, "?hideLarge=false"), "All Systems")
	p := b.bad(wire.DeploymentSpec{TaskSequence: q.ID, Collection: wire.AllSystems, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	require.Equal(t, "HRD-7", p.Rule)
	require.Empty(t, call[[]wire.Deployment](b, "GET", "/deployments", nil))
}

func pickerShowsLarge(t *testing.T) {
	b := newBench(t)
	b.limits(3, 6)
	crowd := b.crowd(6)
	b.collection("Over default", crowd[:4]...)
	b.collection("At maximum", crowd...)
	q := b.wipeAndLoad("Debian")
	require.NotContains(t, b.picks(q.ID, ""), "Over default")
	shown := b.picks(q.ID, "?hideLarge=false")
	require.Contains(t, shown, "Over default")
	require.NotContains(t, shown, "At maximum", "HRD-5")
}

func countsOfNow(t *testing.T) {
	b := newBench(t)
	b.limits(3, 0)
	crowd := b.crowd(3)
	c := b.collection("Growing", crowd[:2]...)
	q := b.wipeAndLoad("Debian")
	require.Contains(t, b.picks(q.ID, ""), "Growing")
	call[struct{}](b, "PUT", "/collections/"+c.ID+"/members/"+crowd[2].ID, nil)
	require.NotContains(t, b.picks(q.ID, ""), "Growing")
}

func growthChangesNothing(t *testing.T) {
	b := newBench(t)
	c := b.collection("Growing", b.device("pc-1"))
	b.limits(2, 3)
	d := b.create(b.risky(c))
	before := len(b.messagesOf(d.ID, ""))
	late := b.crowd(500)
	ids := []string{}
	for _, m := range late {
		ids = append(ids, m.ID)
	}
	require.NoError(t, b.AddMembers(b.Ctx, c.ID, ids))
	require.Equal(t, d, call[wire.Deployment](b, "GET", "/deployments/"+d.ID, nil))
	require.Len(t, b.messagesOf(d.ID, ""), before, "nothing new in the record")
	answer := call[wire.Decision](b, "GET", "/explain?in=winpe&device="+late[499].Name, nil)
	require.Equal(t, wire.ActionRun, answer.Action, answer.Reason)
	require.Equal(t, d.ID, answer.Deployment)
}

func belowDefault(t *testing.T) {
	b := newBench(t)
	b.limits(100, 1000)
	crowd := b.crowd(101)
	b.collection("99", crowd[:99]...)
	b.collection("100", crowd[:100]...)
	b.collection("101", crowd...)
	require.Equal(t, []string{"99", "All Unknown Computers"}, sortedNames(b.picks(b.wipeAndLoad("Debian").ID, "")), "OPN-1: 100 is ours")
}

func belowMaximum(t *testing.T) {
	b := newBench(t)
	b.limits(100, 1000)
	crowd := b.crowd(1001)
	for _, n := range []int{101, 999, 1001} {
		b.collection(fmt.Sprint(n), crowd[:n]...)
	}
	require.Equal(t, []string{"101", "999", "All Unknown Computers"}, sortedNames(b.picks(b.wipeAndLoad("Debian").ID, "?hideLarge=false")))
}

func (b *bench) siteSystem(name string) wire.Device {
	b.t.Helper()
	return call[wire.Device](b, "POST", "/devices", wire.DeviceImport{Name: name, MACs: []string{"52:54:00:99:00:11"}, SiteSystem: true})
}

func siteSystemBlocks(t *testing.T) {
	b := newBench(t)
	set := call[wire.Settings](b, "GET", "/settings", nil)
	set.SiteSystems = "Block"
	call[struct{}](b, "PUT", "/settings", set)
	p := b.bad(b.risky(b.collection("With a DP", b.siteSystem("dp-1"), b.device("pc-1"))))
	require.Equal(t, "HRD-11", p.Rule)
	require.Contains(t, p.Detail, "dp-1")
	require.Empty(t, call[[]wire.Deployment](b, "GET", "/deployments", nil))
	require.NotEmpty(t, b.create(b.risky(b.collection("Without", b.device("pc-2")))).ID)
}

func consent(t *testing.T) {
	b := newBench(t)
	spec := b.risky(b.collection("With a DP", b.siteSystem("dp-1")))
	p := b.refused("POST", "/deployments", wire.DeploymentCreate{DeploymentSpec: spec})
	require.Equal(t, "acceptHighRisk", p.Confirm.Field)
	require.Contains(t, rules(p.Confirm.Reasons), "HRD-12")
	require.Empty(t, call[[]wire.Deployment](b, "GET", "/deployments", nil))
	require.NotEmpty(t, b.create(spec).ID)
	partly(t, "the dialog of the web console")
}

func consentIsRecorded(t *testing.T) {
	b := newBench(t)
	c := b.collection("With a DP", b.siteSystem("dp-1"))
	spec := b.risky(c)
	accepted := func() []wire.StatusMessage {
		out := []wire.StatusMessage{}
		for _, m := range call[[]wire.StatusMessage](b, "GET", "/messages?kind=audit", nil) {
			if m.Rule == "HRD-13" {
				out = append(out, m)
			}
		}
		return out
	}
	b.refused("POST", "/deployments", wire.DeploymentCreate{DeploymentSpec: spec})
	require.Empty(t, accepted())
	d := b.create(spec)
	require.Len(t, accepted(), 1)
	m := accepted()[0]
	require.NotEmpty(t, m.Actor)
	require.Equal(t, d.ID, m.Deployment)
	require.True(t, contains(m.Text, d.ID, d.Name, d.TaskSequence, c.ID, "site system"), m.Text)
}

// reasonOf is the HRD-12 reason that a dry run names for a collection.
func (b *bench) reasonOf(c wire.Collection) string {
	b.t.Helper()
	r := b.dry(b.risky(c))
	require.NotNil(b.t, r.Confirm)
	for _, x := range r.Confirm.Reasons {
		if x.Rule == "HRD-12" {
			return x.Text
		}
	}
	return ""
}

func siteSystemWarns(t *testing.T) {
	b := newBench(t)
	require.Contains(t, b.reasonOf(b.collection("With a DP", b.siteSystem("dp-1"))), "dp-1")
	require.Empty(t, b.reasonOf(b.collection("Without", b.device("pc-1"))))
}

func exceedsDefault(t *testing.T) {
	b := newBench(t)
	crowd := b.crowd(101)
	require.Empty(t, b.reasonOf(b.collection("99", crowd[:99]...)))
	require.Contains(t, b.reasonOf(b.collection("101", crowd...)), "101 members")
}

func containsServer(t *testing.T) {
	b := newBench(t)
	require.Empty(t, b.reasonOf(b.collection("PCs", b.device("pc-1"))))
	flagged := call[wire.Device](b, "POST", "/devices", wire.DeviceImport{Name: "files", MACs: []string{"52:54:00:99:00:12"}, Server: true})
	require.Contains(t, b.reasonOf(b.collection("Flagged", flagged)), "files")
	c := b.client("by-inventory", "UTC")
	c.machine.Self.OSName = "Windows Server 2025"
	c.restart() // a new session tells it (OPN-14)
	require.Contains(t, b.reasonOf(b.collection("By its OS", c.device)), "by-inventory")
}
