package site_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// TestTS120Children: a sequence can be deployed when its children are there, and
// theirs, and nothing runs itself (TSV-4).
func TestTS120Children(t *testing.T) {
	s := sitetest.New(t)
	put := func(id, attributes string) {
		t.Helper()
		_, err := s.ImportSequence(s.Ctx, wire.SequenceImport{ID: id, Replace: true, XML: `<sequence name="s" ` + attributes + `/>`})
		require.NoError(t, err)
	}
	invalid := func(id string) string {
		t.Helper()
		seq, _, err := s.Service.Sequence(s.Ctx, id)
		require.NoError(t, err)
		require.Equal(t, len(seq.Invalid) == 0, seq.CanDeploy)
		var texts []string
		for _, r := range seq.Invalid {
			texts = append(texts, r.Rule+" "+r.Text)
		}
		return strings.Join(texts, "; ")
	}
	put("LAB00001", `children="LAB00002 LAB00003"`)
	require.Contains(t, invalid("LAB00001"), `step "Run LAB00002" refers to sequence LAB00002, which does not exist`)
	put("LAB00002", `children="LAB00003"`)
	put("LAB00003", "")
	require.Empty(t, invalid("LAB00001"))

	image := `boot="` + s.Image.ID + `"`
	put("LAB00001", `children="LAB00002 LAB00003" `+image)
	require.Empty(t, invalid("LAB00001"), "the parent may have one")
	put("LAB00003", image)
	require.Contains(t, invalid("LAB00001"), `TS-120 step "Run LAB00003": task sequence LAB00003 "s" has boot image `+s.Image.ID)
	require.Contains(t, invalid("LAB00001"), `child task sequence LAB00002 "s": step "Run LAB00003"`)
	require.Empty(t, invalid("LAB00003"), "alone it can be deployed")
	_, err := s.CreateDeployment(s.Ctx, wire.DeploymentCreate{DeploymentSpec: wire.DeploymentSpec{TaskSequence: "LAB00001",
		Collection: s.Collection("lab", s.Device("lab-01", 1)).ID, Purpose: wire.Available, MakeAvailableTo: wire.MediaAndPXE}, AcceptHighRisk: true})
	require.ErrorContains(t, err, "cannot be a child")
	_, err = s.ImportSequence(s.Ctx, wire.SequenceImport{ID: "LAB00003", Replace: true, BootImage: wire.NoBootImage, XML: `<sequence name="s" ` + image + `/>`})
	require.NoError(t, err)
	require.Empty(t, invalid("LAB00001"))

	put("LAB00003", `refs="LAB0EEEE"`)
	require.Contains(t, invalid("LAB00001"), `TSV-2 child task sequence LAB00003 "s": step "Step" refers to package LAB0EEEE`)
	require.Contains(t, invalid("LAB00001"), `child task sequence LAB00002 "s": child task sequence LAB00003`)

	put("LAB00003", `children="LAB00001"`)
	for _, id := range []string{"LAB00001", "LAB00002", "LAB00003"} {
		require.Contains(t, invalid(id), "TS-120", id)
		require.Contains(t, invalid(id), "runs itself", id)
	}
	put("LAB00003", `children="LAB00003"`)
	require.Contains(t, invalid("LAB00003"), `TS-120 step "Run LAB00003": task sequence LAB00003 runs itself`)
}

// TestTS46DisabledChild: what a run is told of a child that is disabled when the
// run begins; enabling it later does not change that run.
func TestTS46DisabledChild(t *testing.T) {
	s := sitetest.New(t)
	d := s.Device("lab-01", 1)
	child, err := s.ImportSequence(s.Ctx, wire.SequenceImport{XML: `<sequence name="child"/>`})
	require.NoError(t, err)
	_, err = s.SetSequenceEnabled(s.Ctx, child.ID, false)
	require.NoError(t, err)
	parent, err := s.ImportSequence(s.Ctx, wire.SequenceImport{XML: `<sequence name="parent" children="` + child.ID + `"/>`, BootImage: s.Image.ID})
	require.NoError(t, err)
	dep := s.Deploy(wire.DeploymentSpec{TaskSequence: parent.ID, Collection: s.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{s, t, 1}
	who := m.session()
	run := m.run(who, dep.ID, "k")
	require.Contains(t, run.Children, child.ID)
	require.Equal(t, []string{child.ID}, run.DisabledChildren)
	_, err = s.SetSequenceEnabled(s.Ctx, child.ID, true)
	require.NoError(t, err)
	require.Equal(t, []string{child.ID}, m.run(who, dep.ID, "k").DisabledChildren)
}
