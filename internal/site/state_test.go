package site_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

func statePiece(text string) wire.StatePiece {
	sum := sha256.Sum256([]byte(text))
	return wire.StatePiece{Data: []byte(text), SHA256: hex.EncodeToString(sum[:])}
}

// USM-2, USM-8: the run that requested a store gets its key again as long as the store is not complete; nobody else does.
func TestStateIsGivenAgain(t *testing.T) {
	s := sitetest.New(t, func(c *site.Config) { c.StateDir = t.TempDir() })
	who, run := debugRun(t, s)
	first, err := s.RequestState(s.Ctx, who, run, wire.StateRequest{})
	require.NoError(t, err)
	ask := wire.StateRequest{State: first.ID}
	again, err := s.RequestState(s.Ctx, who, run, ask)
	require.NoError(t, err)
	require.Equal(t, first, again)
	_, err = s.RequestState(s.Ctx, site.Session{Device: s.Device("lab-02", 2).ID}, run, ask)
	require.ErrorContains(t, err, "no such run")
	_, err = s.RequestState(s.Ctx, who, run, wire.StateRequest{State: "../../etc"})
	require.ErrorContains(t, err, "no such state store")

	piece := statePiece("sealed")
	require.NoError(t, s.PutStatePiece(s.Ctx, who, run, first.ID, 0, piece))
	again, err = s.RequestState(s.Ctx, who, run, ask)
	require.NoError(t, err)
	require.Equal(t, first, again, "in the middle of the capture")
	require.NoError(t, s.CompleteState(s.Ctx, who, run, first.ID, wire.StateComplete{Pieces: []string{piece.SHA256}}))
	again, err = s.RequestState(s.Ctx, who, run, ask)
	require.NoError(t, err)
	require.Nil(t, again.Key)
	require.Equal(t, []string{piece.SHA256}, again.Pieces)
}

// USM-1: the appliance looks at its disk before it gives a store, and at every piece.
func TestStateLeavesSpaceFree(t *testing.T) {
	free := int64(1<<30) + wire.MaxStatePiece - 1
	s := sitetest.New(t, func(c *site.Config) {
		c.StateDir, c.FreeSpace = t.TempDir(), func(string) (int64, error) { return free, nil }
	})
	who, run := debugRun(t, s)
	_, err := s.RequestState(s.Ctx, who, run, wire.StateRequest{})
	require.ErrorContains(t, err, "leaves 1024 MiB free")
	free++
	st, err := s.RequestState(s.Ctx, who, run, wire.StateRequest{})
	require.NoError(t, err)
	free = 1<<30 + 5
	err = s.PutStatePiece(s.Ctx, who, run, st.ID, 0, statePiece("sealed"))
	var problem *wire.Problem
	require.ErrorAs(t, err, &problem)
	require.Equal(t, 507, problem.Status)
	require.Equal(t, "USM-1", problem.Rule)
	require.NoError(t, s.PutStatePiece(s.Ctx, who, run, st.ID, 0, statePiece("short")))
	settings, err := s.Settings(s.Ctx)
	require.NoError(t, err)
	settings.StateMinFree = 0
	require.NoError(t, s.SetSettings(s.Ctx, settings))
	require.NoError(t, s.PutStatePiece(s.Ctx, who, run, st.ID, 0, statePiece("sealed")))
}
