package site

import (
	"context"
	"errors"
	"unicode"
	"unicode/utf8"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// KeepFacts keeps what an agent gathered of its machine, in place of what it sent before. The text is shown on terminals
// and never interpreted here.
func (s *Service) KeepFacts(ctx context.Context, who Session, in wire.FactSheet) error {
	if len(in.YAML) > wire.MaxFactSheet || !utf8.ValidString(in.YAML) {
		return invalid("TS-76", "yaml", "the fact sheet is too long or no text", "send at most 512 KiB of UTF-8")
	}
	for _, r := range in.YAML {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return invalid("TS-76", "yaml", "the fact sheet has control characters", "write them as YAML escapes")
		}
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Device(who.Device); err != nil {
			return err
		}
		return tx.PutFactSheet(who.Device, s.Now().UTC(), in.YAML)
	})
}

// DeviceFacts returns the fact sheet that a device sent when its latest run began.
func (s *Service) DeviceFacts(ctx context.Context, ref string) (f wire.FactSheet, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		d, err := findDevice(tx, ref)
		if err != nil {
			return err
		}
		f, err = tx.FactSheet(d.ID)
		if errors.Is(err, store.ErrNotFound) {
			return missing("device", "device "+d.Name+" has not sent its facts", "they come when a run begins on it; bootyard-agent facts prints them on the machine itself")
		}
		return err
	})
	return f, err
}
