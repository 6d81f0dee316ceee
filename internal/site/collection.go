package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// firstCollection is where numbers of custom collections begin, as in CM.
const firstCollection = 0x14

// builtInOf is the built-in collection that holds a device. Machines that are
// not known are in none: what reaches them reaches their object (PXE-15).
func builtInOf(d wire.Device) string {
	switch d.Kind {
	case wire.KnownDevice:
		return wire.AllSystems
	case wire.UnknownObject:
		return wire.AllUnknownComputers
	}
	return ""
}

// collectionsOf lists the collections whose effective members include d, in
// order of their ids. A direct rule counts only while every limiting
// collection up to a built-in one holds the device as well (COL-2).
func collectionsOf(tx *store.Tx, d wire.Device) ([]wire.Collection, error) {
	direct, err := tx.DirectCollections(d.ID)
	if err != nil {
		return nil, err
	}
	known := map[string]wire.Collection{}
	holds := map[string]bool{}
	var member func(id string, depth int) (bool, error)
	member = func(id string, depth int) (bool, error) {
		if yes, ok := holds[id]; ok {
			return yes, nil
		}
		if depth > 50 { // COL-19 keeps cycles out; this keeps a damaged row from looping
			return false, nil
		}
		c, err := tx.Collection(id)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		known[id] = c
		yes := c.BuiltIn && id == builtInOf(d)
		if !c.BuiltIn && slices.Contains(direct, id) {
			// A limit of All Systems admits unknown objects too: CM counts
			// them as resources of the site (COL-11).
			if c.Limiting == wire.AllSystems && d.Kind == wire.UnknownObject {
				yes = true
			} else if yes, err = member(c.Limiting, depth+1); err != nil {
				return false, err
			}
		}
		holds[id] = yes
		return yes, nil
	}
	ids := append(slices.Clone(direct), builtInOf(d))
	list := []wire.Collection{}
	for _, id := range ids {
		if id == "" {
			continue
		}
		yes, err := member(id, 0)
		if err != nil {
			return nil, err
		}
		if yes {
			list = append(list, known[id])
		}
	}
	slices.SortFunc(list, func(a, b wire.Collection) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// members lists the effective members of a collection.
func members(tx *store.Tx, c wire.Collection) ([]wire.Device, error) {
	switch c.ID {
	case wire.AllSystems:
		return tx.Devices(wire.KnownDevice)
	case wire.AllUnknownComputers:
		return tx.Devices(wire.UnknownObject)
	}
	return limitedMembers(tx, c, 0)
}

// limitedMembers is the same answer as collectionsOf gives, for all devices at
// once: the direct members that the limiting collection holds too (COL-2).
func limitedMembers(tx *store.Tx, c wire.Collection, depth int) ([]wire.Device, error) {
	direct, err := tx.MemberDevices(c.ID)
	if err != nil || depth > 50 {
		return nil, err
	}
	holds := func(d wire.Device) bool { return d.Kind == wire.KnownDevice || d.Kind == wire.UnknownObject }
	switch c.Limiting {
	case wire.AllSystems:
	case wire.AllUnknownComputers:
		holds = func(d wire.Device) bool { return d.Kind == wire.UnknownObject }
	default:
		limit, err := tx.Collection(c.Limiting)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		above, err := limitedMembers(tx, limit, depth+1)
		if err != nil {
			return nil, err
		}
		ids := make(map[string]bool, len(above))
		for _, d := range above {
			ids[d.ID] = true
		}
		holds = func(d wire.Device) bool { return ids[d.ID] }
	}
	return slices.DeleteFunc(direct, func(d wire.Device) bool { return !holds(d) }), nil
}

// findCollection resolves an id or a name.
func findCollection(tx *store.Tx, ref string) (wire.Collection, error) {
	c, err := tx.Collection(ref)
	if errors.Is(err, store.ErrNotFound) {
		c, err = tx.CollectionByName(ref)
	}
	return c, orMissing(err, "collection", fmt.Sprintf("no collection has the id or name %q", printable(ref, 80)), "see `bootyard collection list`, or make one with `bootyard collection create`")
}

// Collections lists all with their member counts.
func (s *Service) Collections(ctx context.Context) (list []wire.Collection, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = withCounts(tx)
		return err
	})
	return list, err
}

func withCounts(tx *store.Tx) ([]wire.Collection, error) {
	list, err := tx.Collections()
	if err != nil {
		return nil, err
	}
	for i := range list {
		m, err := members(tx, list[i])
		if err != nil {
			return nil, err
		}
		list[i].MemberCount = len(m)
	}
	return list, nil
}

// Collection returns one collection and its members.
func (s *Service) Collection(ctx context.Context, ref string) (c wire.Collection, list []wire.Device, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if c, err = findCollection(tx, ref); err != nil {
			return err
		}
		list, err = members(tx, c)
		c.MemberCount = len(list)
		return err
	})
	return c, list, err
}

// CreateCollection makes a custom collection with its direct members.
func (s *Service) CreateCollection(ctx context.Context, in wire.CollectionCreate) (c wire.Collection, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		c, err = s.createCollection(tx, in)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("collection %s %q created with %d members", c.ID, c.Name, c.MemberCount)})
	})
	s.feed.bump()
	return c, err
}

func (s *Service) createCollection(tx *store.Tx, in wire.CollectionCreate) (wire.Collection, error) {
	name := printable(in.Name, 127)
	if name == "" {
		return wire.Collection{}, invalid("COL-1", "name", "a collection needs a name", "give one")
	}
	limiting, err := findCollection(tx, cmp.Or(in.Limiting, wire.AllSystems))
	if err != nil {
		return wire.Collection{}, err
	}
	for _, w := range in.Windows {
		if w.Length < 5 || w.Length > 1440 {
			return wire.Collection{}, invalid("MWN-2", "windows", "a maintenance window lasts 5 to 1440 minutes", "change its length")
		}
	}
	n, err := tx.Next("collections", firstCollection)
	if err != nil {
		return wire.Collection{}, err
	}
	c := wire.Collection{ID: wire.FormatObjectID(s.SiteCode, n), Name: name, Limiting: limiting.ID, Priority: in.Priority,
		Comment: printable(in.Comment, 512), Windows: in.Windows, Created: s.Now().UTC()}
	if err := tx.PutCollection(c); errors.Is(err, store.ErrConflict) {
		return c, refusal(409, "", "name", fmt.Sprintf("a collection is called %q already", name), "choose another name")
	} else if err != nil {
		return c, err
	}
	for _, ref := range in.Members {
		if err := addMember(tx, c, ref); err != nil {
			return c, err
		}
	}
	m, err := members(tx, c)
	c.MemberCount = len(m)
	return c, err
}

func addMember(tx *store.Tx, c wire.Collection, ref string) error {
	if c.BuiltIn {
		return invalid("COL-10", "collection", c.Name+" is built in and cannot be changed", "use a custom collection")
	}
	d, err := findDevice(tx, ref)
	if err != nil {
		return err
	}
	if err := tx.AddMember(c.ID, d.ID); err != nil {
		return err
	}
	of, err := collectionsOf(tx, d)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(of, func(x wire.Collection) bool { return x.ID == c.ID }) {
		return invalid("COL-2", "members", fmt.Sprintf("%s is not in the limiting collection %s", d.Name, c.Limiting), "add it there first, or make a collection with another limit")
	}
	return nil
}

// AddMembers adds devices to a custom collection, all or none.
func (s *Service) AddMembers(ctx context.Context, collection string, devices []string) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := findCollection(tx, collection)
		if err != nil {
			return err
		}
		for _, ref := range devices {
			if err := addMember(tx, c, ref); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("%d devices added to collection %s", len(devices), c.ID)})
	})
	s.feed.bump()
	return err
}

// RemoveMember takes a device out of a custom collection.
func (s *Service) RemoveMember(ctx context.Context, collection, device string) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := findCollection(tx, collection)
		if err != nil {
			return err
		}
		if c.BuiltIn {
			return invalid("COL-10", "collection", c.Name+" is built in and cannot be changed", "use a custom collection")
		}
		d, err := findDevice(tx, device)
		if err != nil {
			return err
		}
		if err := tx.RemoveMember(c.ID, d.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Device: d.ID, Text: "removed from collection " + c.ID})
	})
	s.feed.bump()
	return err
}

// DeleteCollection removes a custom collection that nothing depends on (COL-18).
func (s *Service) DeleteCollection(ctx context.Context, ref string) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := findCollection(tx, ref)
		if err != nil {
			return err
		}
		if c.BuiltIn {
			return invalid("COL-10", "collection", c.Name+" is built in and cannot be deleted", "")
		}
		deps, err := tx.DeploymentsOf(c.ID)
		if err != nil {
			return err
		}
		if len(deps) > 0 {
			return refusal(409, "COL-18", "collection", fmt.Sprintf("%d deployments go to this collection, the first is %s", len(deps), deps[0].ID), "delete them first")
		}
		all, err := tx.Collections()
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.Limiting == c.ID {
				return refusal(409, "COL-18", "collection", fmt.Sprintf("it limits collection %s %q", o.ID, o.Name), "delete that one first")
			}
		}
		if err := tx.DeleteCollection(c.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("collection %s %q deleted", c.ID, c.Name)})
	})
	s.feed.bump()
	return err
}
