package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// general is the heading of the seed page and the first page of the wizard.
func general() []row {
	return []row{
		{"S-01", deployedToDevices}, {"S-02", bothWaysStart}, {"S-03", verificationIsManaged}, {"S-04", whatIsHighRisk},
		{"S-05", membersOnly}, {"S-06", messagesOnThePrimarySite}, {"S-07", sequencesAreListed}, {"S-08", sequenceIsChosen},
		{"S-09", deployIsOffered}, {"S-10", brokenReference}, {"S-11", generalPage}, {"S-13", collectionIsNeeded},
		{"S-14", heldUpForServers}, {"S-24", comments},
	}
}

func deployedToDevices(t *testing.T) {
	b := newBench(t)
	q := b.tasks("Tasks", command("one", "echo one"))
	status, data := b.ask("POST", "/deployments", wire.DeploymentCreate{DeploymentSpec: wire.DeploymentSpec{TaskSequence: q.ID, Collection: b.collection("PCs").ID}})
	require.Equal(t, 201, status, "%s", data)
	require.Contains(t, string(data), `"id":"BYD20000"`)
	p := b.bad(wire.DeploymentSpec{TaskSequence: q.ID, Collection: wire.AllUsers})
	require.Equal(t, "TSV-12", p.Rule)
	require.Equal(t, "collection", p.Field)
	require.Len(t, call[[]wire.Deployment](b, "GET", "/deployments", nil), 1)
}

func bothWaysStart(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	all := b.collection("PCs", c.device)
	q := b.tasks("Tasks", command("one", "echo one"))
	available := b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: all.ID})
	for range 3 {
		c.at(b.Clock.Now().Add(24 * time.Hour))
	}
	require.Zero(t, c.ran())
	require.NoError(t, c.Install(available.ID))
	c.round()
	require.Equal(t, 1, c.ran())
	b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Alone", command("two", "echo two")).ID, Collection: all.ID, Purpose: wire.Required, Assignments: asap})
	c.round()
	require.Equal(t, []string{"echo one", "echo two"}, c.commands.All())
}

func verificationIsManaged(t *testing.T) {
	b := newBench(t)
	set := call[wire.Settings](b, "GET", "/settings", nil)
	require.Equal(t, 100, set.DefaultSize, "HRD-4")
	require.Zero(t, set.MaximumSize, "HRD-5")
	require.Equal(t, "Warn", set.SiteSystems, "HRD-6")
	sys := call[wire.Device](b, "POST", "/devices", wire.DeviceImport{Name: "dp", MACs: []string{"52:54:00:99:00:01"}, SiteSystem: true})
	spec := wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian").ID, Collection: b.collection("Mixed", sys, b.device("pc-1")).ID,
		Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE}
	before := len(b.dry(spec).Confirm.Reasons)

	set.SiteSystems = "Block"
	call[struct{}](b, "PUT", "/settings", set)
	require.Equal(t, "HRD-11", b.bad(spec).Rule)
	set.SiteSystems, set.DefaultSize = "Warn", 2
	call[struct{}](b, "PUT", "/settings", set)
	require.Len(t, b.dry(spec).Confirm.Reasons, before+1, "now it exceeds the default size too")
	set.DefaultSize, set.MaximumSize = 1, 2
	call[struct{}](b, "PUT", "/settings", set)
	require.Equal(t, "HRD-5", b.bad(spec).Rule)
	set.DefaultSize, set.MaximumSize = 3, 3
	require.Equal(t, "HRD-5", b.refused("PUT", "/settings", set).Rule)
	require.Equal(t, 1, call[wire.Settings](b, "GET", "/settings", nil).DefaultSize)
}

func whatIsHighRisk(t *testing.T) {
	b := newBench(t)
	os, generic := b.wipeAndLoad("Debian"), b.tasks("Tasks", command("one", "echo one"))
	all := b.collection("PCs", b.device("pc-1"))
	for _, c := range []struct {
		name     string
		sequence string
		purpose  wire.Purpose
		want     bool
	}{
		{"HRD-1 required OS", os.ID, wire.Required, true}, {"HRD-1 available OS", os.ID, wire.Available, false},
		{"HRD-2 required tasks", generic.ID, wire.Required, false}, {"HRD-2 available tasks", generic.ID, wire.Available, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := wire.DeploymentSpec{TaskSequence: c.sequence, Collection: all.ID, Purpose: c.purpose}
			if c.purpose == wire.Required {
				spec.Assignments = asap
			}
			require.Equal(t, c.want, b.dry(spec).HighRisk)
		})
	}
}

func membersOnly(t *testing.T) {
	b := newBench(t)
	in, out := b.client("in", "UTC"), b.client("out", "UTC")
	d := b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs", in.device).ID})
	in.round()
	out.round()
	require.True(t, in.sees(d.ID))
	require.False(t, out.sees(d.ID))
}

func messagesOnThePrimarySite(t *testing.T) {
	b := newBench(t)
	d := b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs").ID})
	require.Condition(t, func() bool { return len(b.messagesOf(d.ID, "audit")) == 1 })
	partly(t, "there is no central site role")
}

// messagesOf lists the site's record of a deployment.
func (b *bench) messagesOf(deployment, kind string) []wire.StatusMessage {
	out := []wire.StatusMessage{}
	for _, m := range call[[]wire.StatusMessage](b, "GET", "/messages?kind="+kind, nil) {
		if m.Deployment == deployment {
			out = append(out, m)
		}
	}
	return out
}

func sequencesAreListed(t *testing.T) {
	b := newBench(t)
	b.tasks("First", command("one", "echo one"))
	b.tasks("Second", command("one", "echo one"))
	require.Len(t, call[[]wire.Sequence](b, "GET", "/sequences", nil), 2)
	partly(t, "the page of the web console")
}

func sequenceIsChosen(t *testing.T) {
	b := newBench(t)
	b.tasks("Other", command("one", "echo one"))
	q := b.tasks("Chosen", command("one", "echo one"))
	list := call[[]wire.Sequence](b, "GET", "/sequences", nil)
	require.Condition(t, func() bool {
		for _, s := range list {
			if s.ID == q.ID && s.Name == "Chosen" {
				return true
			}
		}
		return false
	})
	d := b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: b.collection("PCs").ID})
	require.Equal(t, "Chosen", d.SequenceName)
}

func deployIsOffered(t *testing.T) {
	b := newBench(t)
	require.True(t, call[wire.Sequence](b, "GET", "/sequences/"+b.tasks("Tasks", command("one", "echo one")).ID, nil).CanDeploy)
	partly(t, "the action of the web console")
}

func brokenReference(t *testing.T) {
	b := newBench(t)
	p := b.pkg("Scripts", "echo hello")
	q := b.tasks("Tasks", withPackage("Use the scripts", p.ID, "sh run.sh", false))
	require.True(t, q.CanDeploy)
	spec := wire.DeploymentSpec{TaskSequence: q.ID, Collection: b.collection("PCs").ID}
	call[struct{}](b, "DELETE", "/packages/"+p.ID, nil)
	q = call[wire.Sequence](b, "GET", "/sequences/"+q.ID, nil)
	require.False(t, q.CanDeploy)
	require.Len(t, q.Invalid, 1)
	require.Contains(t, q.Invalid[0].Text, p.ID)
	require.Contains(t, q.Invalid[0].Text, "Use the scripts")
	require.Equal(t, "TSV-1", b.bad(spec).Rule)
	b.pkgAs(map[string]any{"name": "Scripts", "id": p.ID}, "echo hello")
	require.True(t, call[wire.Sequence](b, "GET", "/sequences/"+q.ID, nil).CanDeploy)
	require.NotEmpty(t, b.create(spec).ID)
}

func generalPage(t *testing.T) {
	b := newBench(t)
	status, data := b.ask("GET", "/openapi.json", nil)
	require.Equal(t, 200, status)
	missing := []string{}
	for _, field := range []string{"taskSequence", "collection", "comment", "useCollectionDPGroups", "autoDistributeDependencies", "precache", "template"} {
		if !strings.Contains(string(data), `"`+field+`"`) {
			missing = append(missing, field)
		}
	}
	for _, have := range []string{"taskSequence", "collection", "comment"} {
		require.NotContains(t, missing, have)
	}
	if len(missing) > 0 {
		partly(t, "the fields "+strings.Join(missing, ", "))
	}
	partly(t, "the page of the web console")
}

func collectionIsNeeded(t *testing.T) {
	b := newBench(t)
	p := b.bad(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID})
	require.Equal(t, "collection", p.Field)
	require.Equal(t, "DEP-2", p.Rule)
}

func heldUpForServers(t *testing.T) {
	b := newBench(t)
	server := call[wire.Device](b, "POST", "/devices", wire.DeviceImport{Name: "files", MACs: []string{"52:54:00:99:00:02"}, Server: true})
	spec := wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian").ID, Collection: b.collection("Data centre", server, b.device("pc-1")).ID,
		Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE}
	p := b.refused("POST", "/deployments", wire.DeploymentCreate{DeploymentSpec: spec})
	require.Equal(t, "HRD-14", p.Rule)
	require.Equal(t, 2, p.Confirm.MemberCount)
	require.Contains(t, rules(p.Confirm.Reasons), "HRD-12")
	require.Empty(t, call[[]wire.Deployment](b, "GET", "/deployments", nil))
}

func comments(t *testing.T) {
	b := newBench(t)
	spec := wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", command("one", "echo one")).ID, Collection: b.collection("PCs").ID}
	for _, text := range []string{"", "for room 12, ask Ann; üñí"} {
		spec.Comment = text
		require.Equal(t, text, call[wire.Deployment](b, "GET", "/deployments/"+b.create(spec).ID, nil).Comment)
	}
}
