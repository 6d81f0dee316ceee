package site_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// packageShare has the versions of packages that it names.
type packageShare map[string]int

func (s packageShare) Locate(_ context.Context, id string, version int) *wire.ContentShare {
	if s[id] != version {
		return nil
	}
	return &wire.ContentShare{Path: `\\dp\packages`, Port: 445, Account: "nobody", Password: "secret"}
}

// DOP-13: only a run that uses content in place is told where the share is and its password.
func TestDOP13OnlyDirectRunsSeeTheShare(t *testing.T) {
	share := packageShare{}
	s := sitetest.New(t, func(c *site.Config) { c.Share = share })
	pkg, err := s.ImportPackage(s.Ctx, wire.Package{Name: "Tools", PackageShare: true}, "/src")
	require.NoError(t, err)
	share[pkg.ID] = pkg.Version
	q, err := s.ImportSequence(s.Ctx, wire.SequenceImport{XML: `<sequence name="S" refs="` + pkg.ID + `">`, Name: "S", BootImage: s.Image.ID})
	require.NoError(t, err)
	s.Deploy(wire.DeploymentSpec{TaskSequence: q.ID, Collection: s.Collection("lab", s.Device("lab-01", 1)).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{s, t, 1}
	who := m.session()
	before, err := s.ContentLocations(s.Ctx, who, pkg.ID)
	require.NoError(t, err)
	require.Nil(t, before.Share, "no run")
	run := m.run(who, m.firmware().Deployment, "k")
	asNeeded, err := s.ContentLocations(s.Ctx, who, pkg.ID)
	require.NoError(t, err)
	require.Nil(t, asNeeded.Share, "a run that downloads")

	require.NoError(t, s.Store.Update(s.Ctx, func(tx *store.Tx) error {
		d, err := tx.Deployment(run.Deployment)
		if err != nil {
			return err
		}
		d.DeploymentOption = wire.DirectFromDP
		return tx.PutDeployment(d)
	}))
	got, err := s.ContentLocations(s.Ctx, who, pkg.ID)
	require.NoError(t, err)
	require.Equal(t, `\\dp\packages`, got.Share.Path)
	share[pkg.ID] = 0
	_, err = s.ContentLocations(s.Ctx, who, pkg.ID)
	require.Equal(t, 503, problem(t, err).Status, "asked for again")
	_, err = s.SetPackageShare(s.Ctx, pkg.ID, false)
	require.NoError(t, err)
	_, err = s.ContentLocations(s.Ctx, who, pkg.ID)
	require.Equal(t, 404, problem(t, err).Status)
	require.Contains(t, problem(t, err).Detail, "not copied to the package share")
	_, err = s.SetPackageShare(s.Ctx, "BYD0FFFF", true)
	require.Equal(t, 404, problem(t, err).Status)
	require.NoError(t, s.Finish(s.Ctx, who, run.ID, wire.Finish{Succeeded: true}))
}

func TestTS139KindOfAPackage(t *testing.T) {
	s := sitetest.New(t)
	p, err := s.ImportPackage(s.Ctx, wire.Package{Name: "Image", Kind: "257"}, "/src")
	require.NoError(t, err)
	require.Equal(t, wire.KindOSImage, p.Kind)
	p, err = s.ImportPackage(s.Ctx, wire.Package{ID: p.ID}, "/src")
	require.NoError(t, err)
	require.Equal(t, wire.KindOSImage, p.Kind, "the next version is of the same kind")
	for _, kind := range []string{"4", "image"} {
		_, err = s.ImportPackage(s.Ctx, wire.Package{Name: "x", Kind: kind}, "/src")
		require.Equal(t, "TS-139", problem(t, err).Rule)
	}
}
