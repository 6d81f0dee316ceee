package site

import (
	"context"
	"slices"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// userCollections are Configuration Manager's built-in collections of users
// (COL-10), by id and name.
var userCollections = []string{wire.AllUsers, "SMS00003", "SMS00004", "All Users", "All User Groups", "All Users and User Groups"}

// CollectionsFor lists what a person may choose from for a sequence, by the
// member counts of this moment (HRD-10). For one that installs an OS these are
// custom collections below the site's default size, with hideLarge, and always
// below its maximum size (HRD-8, HRD-9), and All Unknown Computers, of which
// the count says nothing: it has one object per architecture (HRD-7, COL-11).
// With debug only those that a debug deployment may have are offered (DBG-1).
func (s *Service) CollectionsFor(ctx context.Context, sequence string, hideLarge, debug bool) (list []wire.Collection, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		q, err := findSequence(tx, sequence)
		if err != nil {
			return err
		}
		set, err := settings(tx)
		if err != nil {
			return err
		}
		if list, err = withCounts(tx); err != nil {
			return err
		}
		if debug {
			list = slices.DeleteFunc(list, func(c wire.Collection) bool { return undebuggable(c, c.MemberCount) != "" })
		}
		if !q.DeploysOS {
			return nil
		}
		list = slices.DeleteFunc(list, func(c wire.Collection) bool {
			if c.BuiltIn {
				return c.ID != wire.AllUnknownComputers
			}
			return hideLarge && set.DefaultSize > 0 && c.MemberCount >= set.DefaultSize ||
				set.MaximumSize > 0 && c.MemberCount >= set.MaximumSize
		})
		return nil
	})
	return list, err
}
