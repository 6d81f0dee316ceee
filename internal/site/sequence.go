package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// maxSequence is TRM-14's limit of a stored sequence, in bytes.
const maxSequence = 2 << 20

// findSequence resolves an id or a name.
func findSequence(tx *store.Tx, ref string) (wire.Sequence, error) {
	seq, err := tx.Sequence(ref)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return seq, err
	}
	list, err := tx.SequencesByName(ref)
	switch {
	case err != nil:
		return seq, err
	case len(list) == 1:
		return list[0], nil
	case len(list) > 1:
		return seq, refusal(409, "", "taskSequence", fmt.Sprintf("%d task sequences are called %q", len(list), ref), "use the id from `bootyard sequence list`")
	}
	return seq, missing("taskSequence", fmt.Sprintf("no task sequence has the id or name %q", printable(ref, 80)), "see `bootyard sequence list`, or add one with `bootyard sequence import`")
}

// Sequences lists all task sequences with their validity.
func (s *Service) Sequences(ctx context.Context) (list []wire.Sequence, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if list, err = tx.Sequences(); err != nil {
			return err
		}
		for i := range list {
			if list[i], err = withValidity(tx, list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// Sequence returns one task sequence and its XML.
func (s *Service) Sequence(ctx context.Context, ref string) (seq wire.Sequence, xml string, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if seq, err = findSequence(tx, ref); err != nil {
			return err
		}
		if xml, err = tx.SequenceXML(seq.ID, seq.Version); err != nil {
			return err
		}
		seq, err = withValidity(tx, seq)
		return err
	})
	return seq, xml, err
}

// ImportSequence stores a sequence. Its id, given or in the XML, is kept when
// it is free.
func (s *Service) ImportSequence(ctx context.Context, in wire.SequenceImport) (seq wire.Sequence, err error) {
	if s.Inspector == nil {
		return seq, errors.New("this appliance has no task sequence reader")
	}
	if len(in.XML) > maxSequence {
		return seq, invalid("TRM-14", "xml", fmt.Sprintf("the task sequence has %d bytes, at most %d are allowed", len(in.XML), maxSequence), "split it into child sequences")
	}
	facts, err := s.Inspector.Inspect(in.XML)
	if err != nil {
		return seq, invalid("TSV-5", "xml", err.Error(), "correct the XML; `bootyard sequence lint FILE` shows every finding")
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		seq, err = s.importSequence(tx, in, facts)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("task sequence %s %q version %d imported", seq.ID, seq.Name, seq.Version)})
	})
	s.feed.bump()
	return seq, err
}

func (s *Service) importSequence(tx *store.Tx, in wire.SequenceImport, facts SequenceFacts) (wire.Sequence, error) {
	now := s.Now().UTC()
	if in.New && (in.ID != "" || in.Replace) {
		return wire.Sequence{}, invalid("TS-175", "new", "a new sequence gets an id of its own and replaces nothing", "leave out one of the two")
	}
	if in.New {
		facts.ID = ""
	}
	seq := wire.Sequence{ID: cmp.Or(in.ID, facts.ID), Name: printable(cmp.Or(in.Name, facts.Name, "Task sequence"), 255), Created: now}
	id, err := s.takeID(tx, seq.ID, in.ID != "")
	if err != nil {
		return seq, err
	}
	old, err := tx.Sequence(id)
	switch {
	case err == nil && !in.Replace:
		return seq, refusal(409, "TRM-5", "id", fmt.Sprintf("task sequence %s %q exists already", old.ID, old.Name), "import with replace to store a new version, or without an id to make another one")
	case err == nil:
		// A new version of the steps keeps what the site gave the sequence.
		seq.Created, seq.Version = old.Created, old.Version
		seq.Name = printable(cmp.Or(in.Name, facts.Name, old.Name), 255)
		seq.BootImage, seq.Enabled = old.BootImage, old.Enabled
	case !errors.Is(err, store.ErrNotFound):
		return seq, err
	default: // one of that id may have been deleted
		if seq.Version, err = tx.LastSequenceVersion(id); err != nil {
			return seq, err
		}
	}
	first := old.ID == ""
	seq.ID, seq.Updated, seq.Version = id, now, seq.Version+1
	if seq.BootImage = cmp.Or(in.BootImage, facts.BootImage, seq.BootImage); seq.BootImage == wire.NoBootImage {
		seq.BootImage = ""
	}
	seq.DeploysOS = facts.DeploysOS || seq.BootImage != "" // HRD-2, TS-6
	seq.Enabled = !facts.Disabled && (seq.Enabled || first)
	seq.MaxRunMinutes, seq.Steps = facts.MaxRunMinutes, facts.Steps
	seq.References, seq.Invalid = facts.References, facts.Problems
	if seq.References == nil {
		seq.References = []wire.Reference{}
	}
	if err := tx.PutSequence(seq); err != nil {
		return seq, err
	}
	if err := tx.PutSequenceXML(seq.ID, seq.Version, in.XML); err != nil {
		return seq, err
	}
	return withValidity(tx, seq)
}

// takeID keeps a wanted id when its shape is right and it is not another kind
// of object; otherwise it allocates one. Ids of our own site are reserved so
// that they are never given again.
func (s *Service) takeID(tx *store.Tx, want string, must bool) (string, error) {
	want = strings.ToUpper(want)
	if want == "" {
		return s.objectID(tx)
	}
	if !wire.ValidObjectID(want) {
		if must {
			return "", invalid("TRM-4", "id", fmt.Sprintf("%q is no id: three characters of A-Z and 0-9, then five upper-case hexadecimal digits", printable(want, 40)), "leave the id out")
		}
		return s.objectID(tx)
	}
	if _, err := tx.Package(want); err == nil {
		return s.clash(tx, want, must, "a package")
	}
	if _, err := tx.BootImage(want); err == nil {
		return s.clash(tx, want, must, "a boot image")
	}
	var n int
	if want[:3] == s.SiteCode {
		if _, err := fmt.Sscanf(want[3:], "%X", &n); err != nil {
			return "", err
		}
		if n >= wire.FirstDeploymentNumber {
			return "", invalid("OPN-10", "id", want+" lies in the range of deployment ids", "leave the id out")
		}
		return want, tx.Reserve("objects", n)
	}
	return want, nil
}

func (s *Service) clash(tx *store.Tx, want string, must bool, what string) (string, error) {
	if must {
		return "", refusal(409, "TRM-4", "id", want+" is the id of "+what, "leave the id out")
	}
	return s.objectID(tx)
}

// SetSequenceEnabled disables or enables a sequence where it is deployed (TSV-10).
func (s *Service) SetSequenceEnabled(ctx context.Context, ref string, enabled bool) (seq wire.Sequence, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if seq, err = findSequence(tx, ref); err != nil {
			return err
		}
		seq.Enabled = enabled
		if err := tx.PutSequence(seq); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Rule: "TSV-10", Text: fmt.Sprintf("task sequence %s enabled: %t", seq.ID, enabled)})
	})
	s.feed.bump()
	return seq, err
}

// DeleteSequence removes a sequence that is not deployed.
func (s *Service) DeleteSequence(ctx context.Context, ref string) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		seq, err := findSequence(tx, ref)
		if err != nil {
			return err
		}
		deps, err := tx.DeploymentsUsing(seq.ID)
		if err != nil {
			return err
		}
		if len(deps) > 0 {
			return refusal(409, "TRM-5", "taskSequence", fmt.Sprintf("deployment %s uses it", deps[0].ID), "delete its deployments first")
		}
		if err := tx.DeleteSequence(seq.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("task sequence %s %q deleted", seq.ID, seq.Name)})
	})
	s.feed.bump()
	return err
}
