package site

import (
	"context"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// IgnoredIDs lists identifiers that say nothing about a machine (PXE-5) and
// MACs that get no answer (PXE-4).
func (s *Service) IgnoredIDs(ctx context.Context) (list []store.Ignored, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.Ignored()
		return err
	})
	return list, err
}

// IgnoreID adds an identifier to the list; kind is uuid, mac or excluded.
func (s *Service) IgnoreID(ctx context.Context, i store.Ignored) error {
	value := NormalMAC(i.Value)
	if i.Kind == "uuid" {
		value = NormalUUID(i.Value)
	}
	if value == "" || i.Kind != "uuid" && i.Kind != "mac" && i.Kind != "excluded" {
		return invalid("PXE-5", "value", "kind is uuid, mac or excluded, and the value such an identifier", "write MACs as 00:00:00:00:00:00")
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.PutIgnored(store.Ignored{Kind: i.Kind, Value: value, Note: printable(i.Note, 200)}); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Rule: "PXE-5", Text: i.Kind + " " + value + " added to the list of ids"})
	})
}

// UnignoreID takes an identifier off the list.
func (s *Service) UnignoreID(ctx context.Context, kind, value string) error {
	normal := NormalMAC(value)
	if kind == "uuid" {
		normal = NormalUUID(value)
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, found, err := tx.IgnoredNote(kind, normal); err != nil {
			return err
		} else if !found {
			return missing("value", "the list has no such entry", "see `bootyard settings ignored-ids list`")
		}
		value = normal
		if err := tx.DeleteIgnored(kind, value); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Rule: "PXE-5", Text: printable(kind+" "+value, 80) + " taken off the list of ids"})
	})
}

// Boot returns one firmware attempt.
func (s *Service) Boot(ctx context.Context, id string) (b wire.Boot, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		b, err = tx.Boot(id)
		return orMissing(err, "boot", "no boot has that id", "see `bootyard boot list`")
	})
	return b, err
}
