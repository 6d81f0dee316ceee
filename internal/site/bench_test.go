package site_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// BenchmarkDecide measures DESIGN.md's promise: policy for one device out of
// 100,000 with 1,000 deployments in less than 5 ms. Five of them reach it.
func BenchmarkDecide(b *testing.B) {
	s := sitetest.New(b)
	seq := s.Sequence("os", true)
	const devices, collections = 100_000, 1000
	ids := make([]string, collections)
	for i := range ids {
		ids[i] = s.Collection(fmt.Sprintf("c%d", i)).ID
		s.Deploy(wire.DeploymentSpec{TaskSequence: seq.ID, Collection: ids[i], Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	}
	for from := 0; from < devices; from += 5000 {
		require.NoError(b, s.Store.Update(s.Ctx, func(tx *store.Tx) error {
			for n := from; n < from+5000; n++ {
				id := fmt.Sprintf("00000000-0000-7000-8000-%012x", n)
				if err := tx.PutDevice(wire.Device{ID: id, Name: id, Kind: wire.KnownDevice, UUID: sitetest.UUID(n), MACs: []string{fmt.Sprintf("52:54:00:%02x:%02x:%02x", n>>16, n>>8&255, n&255)}, Arch: "amd64"}); err != nil {
					return err
				}
				for k := range 5 {
					if err := tx.AddMember(ids[(n*7+k*131)%collections], id); err != nil {
						return err
					}
				}
			}
			return nil
		}))
	}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		d, err := s.Decide(s.Ctx, site.Asker{Identity: wire.Identity{UUID: sitetest.UUID(i * 7919 % devices), Firmware: wire.UEFI, Arch: "amd64"}, Environment: wire.WinPE, Stage: wire.StageDHCP})
		if err != nil || d.Action != wire.ActionRun || len(d.Considered) != 5 {
			b.Fatalf("%+v %v", d, err)
		}
	}
}
