package site_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// DOP-13: the share's password changes at every start, unless a run that may have it goes on.
func TestDOP13ShareSecretChanges(t *testing.T) {
	s := sitetest.New(t)
	secret := func(fresh string) string {
		got, err := s.ShareSecret(s.Ctx, []byte(fresh))
		require.NoError(t, err)
		return string(got)
	}
	require.Equal(t, "1", secret("1"))
	require.Equal(t, "2", secret("2"))
	q, err := s.ImportSequence(s.Ctx, wire.SequenceImport{XML: `<sequence name="S">`, Name: "S", BootImage: s.Image.ID})
	require.NoError(t, err)
	s.Deploy(wire.DeploymentSpec{TaskSequence: q.ID, Collection: s.Collection("lab", s.Device("lab-01", 1)).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{s, t, 1}
	who := m.session()
	run := m.run(who, m.firmware().Deployment, "k")
	require.Equal(t, "3", secret("3"), "a run that downloads has none")

	require.NoError(t, s.Store.Update(s.Ctx, func(tx *store.Tx) error {
		d, err := tx.Deployment(run.Deployment)
		if err != nil {
			return err
		}
		d.DeploymentOption = wire.DirectFromDP
		return tx.PutDeployment(d)
	}))
	require.Equal(t, "3", secret("4"), "a Direct run goes on with it")
	require.NoError(t, s.DeleteDeployment(s.Ctx, run.Deployment))
	require.Equal(t, "3", secret("5"), "nobody knows any more whether the run is Direct")
	require.NoError(t, s.Finish(s.Ctx, who, run.ID, wire.Finish{Succeeded: true}))
	require.Equal(t, "6", secret("6"))
}
