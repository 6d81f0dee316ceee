package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// CreateMedium registers a medium and makes its key. The key is in the answer
// and nowhere else.
func (s *Service) CreateMedium(ctx context.Context, in wire.MediaCreate) (out wire.MediaCreated, err error) {
	ttl := cmp.Or(time.Duration(in.TTL), mediaTTL)
	if ttl < time.Hour || ttl > 10*365*24*time.Hour {
		return out, invalid("MED-7", "ttl", "a medium is valid for 1 hour to 10 years", "choose such a time")
	}
	for _, name := range slices.Sorted(maps.Keys(in.Variables)) {
		if !variableName.MatchString(name) || len([]rune(in.Variables[name])) > 4000 {
			return out, invalid("COL-14", "variables", fmt.Sprintf("%q is no variable name, or its value is longer than 4000 characters", printable(name, 64)), "names have letters, digits, _ and - and begin with a letter")
		}
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if out.BootImage, err = mediumImage(tx, in); err != nil {
			return err
		}
		now := s.Now().UTC()
		out.Record = wire.MediaRecord{ID: s.newID(), Label: cmp.Or(printable(in.Label, 32), "bootyard"), Unattended: in.Unattended, Repeat: in.Repeat,
			BootImage: out.BootImage.ID, Variables: in.Variables, Created: now, Expires: now.Add(ttl)}
		if err := tx.PutMedium(out.Record); err != nil {
			return err
		}
		token, err := s.issue(tx, store.Token{Kind: kindMedia, Subject: out.Record.ID}, ttl)
		if err != nil {
			return err
		}
		r := out.Record
		out.Media = wire.Media{ID: r.ID, Token: token, URL: s.URL, CASPKI: s.CASPKI, Label: r.Label, Unattended: r.Unattended, Repeat: r.Repeat, Variables: r.Variables}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("boot medium %s %q made, unattended: %t", r.ID, r.Label, r.Unattended)})
	})
	return out, err
}

// mediumImage takes the named boot image, that of the preferred deployment's
// sequence, or the only one there is.
func mediumImage(tx *store.Tx, in wire.MediaCreate) (wire.BootImage, error) {
	id := in.BootImage
	for name, value := range in.Variables {
		if !strings.EqualFold(name, preferredVariable) {
			continue
		}
		d, err := tx.Deployment(strings.ToUpper(strings.TrimSpace(value)))
		if err != nil {
			return wire.BootImage{}, orMissing(err, "variables", fmt.Sprintf("%s names %q, which is no deployment", preferredVariable, printable(value, 40)), "see `bootyard deployment list`")
		}
		if !d.MakeAvailableTo.IncludesMediaAndPXE() {
			return wire.BootImage{}, invalid("MED-19", "variables", fmt.Sprintf("deployment %s is not made available to media", d.ID), "make a deployment that includes media and PXE")
		}
		if seq, err := tx.Sequence(d.TaskSequence); err == nil {
			id = cmp.Or(id, seq.BootImage)
		}
	}
	list, err := tx.BootImages()
	if err != nil {
		return wire.BootImage{}, err
	}
	for _, b := range list {
		if b.ID == id || id == "" && (b.Default || len(list) == 1) {
			return b, nil
		}
	}
	return wire.BootImage{}, missing("bootImage", "no boot image for the medium", "build one with `bootyard image boot build`, or name one")
}

// Media lists all media.
func (s *Service) Media(ctx context.Context) (list []wire.MediaRecord, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.Media()
		return err
	})
	// Values may be secrets, and whoever lists may have no more than the right
	// to read; the one that says what the medium does is no secret.
	for _, m := range list {
		for name := range m.Variables {
			if !strings.EqualFold(name, preferredVariable) {
				m.Variables[name] = ""
			}
		}
	}
	return list, err
}

// RevokeMedium makes a medium worthless (MED-7).
func (s *Service) RevokeMedium(ctx context.Context, id string) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		m, err := tx.Medium(id)
		if errors.Is(err, store.ErrNotFound) {
			return missing("media", "no medium has that id", "see `bootyard media list`")
		}
		if err != nil {
			return err
		}
		now := s.Now().UTC()
		m.Revoked = &now
		if err := tx.PutMedium(m); err != nil {
			return err
		}
		if _, err := tx.RevokeTokens(kindMedia, id, now); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Rule: "MED-7", Text: "boot medium " + id + " revoked"})
	})
}
