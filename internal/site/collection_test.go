package site_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// COL-2: members are a subset of the limiting collection, also when that
// shrinks later, for the list of members and for the decision alike.
func TestLimitingCollection(t *testing.T) {
	s := sitetest.New(t)
	one, two := s.Device("lab-01", 1), s.Device("lab-02", 2)
	s.Collection("outer", one, two)
	_, err := s.CreateCollection(s.Ctx, wire.CollectionCreate{Name: "inner", Limiting: "outer", Members: []string{"lab-01", "lab-02"}})
	require.NoError(t, err)
	s.Deploy(wire.DeploymentSpec{TaskSequence: s.Sequence("os", true).ID, Collection: "inner", Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	members := func() []string {
		_, list, err := s.Service.Collection(s.Ctx, "inner")
		require.NoError(t, err)
		names := []string{}
		for _, d := range list {
			names = append(names, d.Name)
		}
		return names
	}
	require.Equal(t, []string{"lab-01", "lab-02"}, members())
	require.NoError(t, s.RemoveMember(s.Ctx, "outer", "lab-02"))
	require.Equal(t, []string{"lab-01"}, members())
	require.Equal(t, wire.ActionRun, machine{s, t, 1}.firmware().Action)
	require.Equal(t, "PXE-15", machine{s, t, 2}.firmware().Rule)

	s.Device("lab-03", 3)
	require.Equal(t, "COL-2", problem(t, s.AddMembers(s.Ctx, "inner", []string{"lab-03"})).Rule)
	require.Equal(t, []string{"lab-01"}, members(), "all or none")
	require.Equal(t, "COL-10", problem(t, s.AddMembers(s.Ctx, wire.AllSystems, []string{"lab-03"})).Rule)
	require.Equal(t, "COL-18", problem(t, s.DeleteCollection(s.Ctx, "outer")).Rule)
}

// Whatever a machine says of itself, the identifiers that count are canonical.
func FuzzIdentifiers(f *testing.F) {
	f.Add("52:54:00:00:00:01", sitetest.UUID(1))
	f.Add("52-54-00-00-00-01", "00000000-0000-0000-0000-000000000000")
	f.Add("ff:ff:ff:ff:ff:ff", "{8a8a8a8a-0000-4000-8000-000000000001}")
	f.Fuzz(func(t *testing.T, mac, uuid string) {
		if m := site.NormalMAC(mac); m != "" {
			require.Len(t, m, 17)
			require.Equal(t, m, site.NormalMAC(m))
		}
		if u := site.NormalUUID(uuid); u != "" {
			require.Len(t, u, 36)
			require.Equal(t, u, site.NormalUUID(u))
		}
	})
}
