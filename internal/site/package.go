package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Packages lists all packages and OS images.
func (s *Service) Packages(ctx context.Context) (list []wire.Package, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.Packages()
		return err
	})
	return list, err
}

// Package returns one package record.
func (s *Service) Package(ctx context.Context, id string) (p wire.Package, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		p, err = tx.Package(id)
		return orMissing(err, "package", fmt.Sprintf("no package has the id %q", printable(id, 40)), "see `bootyard package list`")
	})
	return p, err
}

// ImportPackage stores the files below dir as a new package, or as the next
// version of p.ID when that exists (DOP-22). The record appears only after the
// content library holds all bytes, so nobody is told of content that is not
// there.
func (s *Service) ImportPackage(ctx context.Context, p wire.Package, dir string) (wire.Package, error) {
	return s.importPackage(ctx, p, dir, func(*store.Tx, wire.Package) error { return nil })
}

// importPackage is ImportPackage; also is done in the transaction that makes the package known.
func (s *Service) importPackage(ctx context.Context, p wire.Package, dir string, also func(*store.Tx, wire.Package) error) (wire.Package, error) {
	if s.Content == nil {
		return p, errors.New("this appliance has no content library")
	}
	if p.Kind != "" {
		kind, ok := wire.PackageKind(p.Kind)
		if !ok {
			return p, invalid("TS-139", "kind", fmt.Sprintf("%q is no kind of package", printable(p.Kind, 40)),
				"use package, driverPackage, osImage, bootImage or upgradePackage, or the number of an export; task sequences (4) are taken by `bootyard sequence import`")
		}
		p.Kind = kind
	}
	name := printable(p.Name, 255)
	version, update := 1, false
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		old, err := tx.Package(p.ID)
		if err == nil {
			update, version, name = true, old.Version+1, cmp.Or(name, old.Name)
			p.Created, p.Kind = old.Created, cmp.Or(p.Kind, old.Kind)
			p.Programs = old.Programs
			return nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if _, err := tx.Sequence(p.ID); err == nil {
			return refusal(409, "TRM-4", "id", p.ID+" is the id of a task sequence", "leave the id out")
		}
		p.ID, err = s.takeID(tx, p.ID, p.ID != "")
		return err
	})
	if err != nil {
		return p, err
	}
	if name == "" {
		return p, invalid("", "name", "a package needs a name", "give one")
	}
	var drivers []wire.Driver
	if p.Kind == wire.KindDriverPackage {
		if drivers, err = s.readDrivers(ctx, dir); err != nil {
			return p, err
		}
	}
	m, err := s.Content.Import(ctx, p.ID, version, dir)
	if err != nil {
		return p, fmt.Errorf("store content of %s: %w", p.ID, err)
	}
	now := s.Now().UTC()
	p.Name, p.Version, p.Updated, p.Files, p.Size = name, m.Version, now, len(m.Files), m.TotalSize
	p.Kind = cmp.Or(p.Kind, wire.KindPackage)
	if p.Created.IsZero() {
		p.Created = now
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Package(p.ID); update && errors.Is(err, store.ErrNotFound) {
			return refusal(409, "DOP-22", "package", "package "+p.ID+" was deleted while its new version came in", "create it again")
		}
		if err := errors.Join(tx.PutPackage(p), also(tx, p)); err != nil {
			return err
		}
		if err := keepDrivers(tx, p, drivers); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("package %s %q version %d stored: %d files, %d bytes", p.ID, p.Name, p.Version, p.Files, p.Size)})
	})
	s.feed.bump()
	return p, err
}

// SetPackageShare says whether a package, or a boot image, is copied to the
// package share (DOP-5).
// What that changes for deployments is seen when they are looked at (DOP-9).
func (s *Service) SetPackageShare(ctx context.Context, id string, on bool) (p wire.Package, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if image, err := tx.BootImage(id); err == nil {
			image.PackageShare = on
			p = wire.Package{ID: image.ID, Name: image.Name, Kind: wire.KindBootImage, PackageShare: on, Size: image.Size, Files: 2, Created: image.Created}
			if err := tx.PutBootImage(image); err != nil {
				return err
			}
		} else {
			if p, err = tx.Package(id); err != nil {
				return orMissing(err, "package", fmt.Sprintf("no package has the id %q", printable(id, 40)), "see `bootyard package list`")
			}
			p.PackageShare = on
			if err := tx.PutPackage(p); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, wire.StatusMessage{Rule: "DOP-5", Text: fmt.Sprintf("package %s copied to the package share: %t", p.ID, on)})
	})
	s.feed.bump()
	return p, err
}

// DeletePackage removes a package and frees those of its files that no other
// one uses. Sequences that refer to it become invalid (TSV-2); the answer of a
// dry look is in their validity. While a run needs the package it is refused:
// the machine would stand there with half of it (DOP-22).
//
// The record goes first and the bytes after it, so a crash between leaves bytes
// that nothing names, which the appliance collects.
func (s *Service) DeletePackage(ctx context.Context, id string) (out wire.PackageDeleted, err error) {
	gone := false
	forget := func() error {
		err := s.Store.Update(ctx, func(tx *store.Tx) error { return s.forgetPackage(ctx, tx, id) })
		gone = err == nil
		return err
	}
	out.ID = id
	if s.Content == nil {
		err = forget()
	} else {
		out, err = s.Content.Remove(ctx, id, forget)
	}
	if errors.Is(err, ErrContentBusy) {
		return out, refusal(409, "DOP-22", "package", "package "+printable(id, 40)+" is being changed by another request", "try again when that is done")
	}
	if gone && err != nil {
		s.Log.Error("package deleted, its bytes were not freed", "package", id, "err", err)
		out.Kept, err = "its bytes could not be freed: the appliance's log says why; it tries again every six hours", nil
	}
	s.feed.bump()
	return out, err
}

func (s *Service) forgetPackage(ctx context.Context, tx *store.Tx, id string) error {
	p, err := tx.Package(id)
	if err != nil {
		return orMissing(err, "package", fmt.Sprintf("no package has the id %q", printable(id, 40)), "see `bootyard package list`")
	}
	runs, err := tx.Runs(store.RunFilter{State: wire.RunRunning, Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	for _, run := range runs {
		if seq, err := sequenceOf(tx, run); err == nil && needsPackage(tx, seq, id, 0) {
			return refusal(409, "DOP-22", "package", fmt.Sprintf("run %s on %s needs package %s", run.ID, run.DeviceName, id),
				"wait for its end, or cancel it with `bootyard cancel "+run.DeviceName+"`")
		}
	}
	if err := errors.Join(tx.DeletePackage(id), tx.DeleteDrivers(id)); err != nil {
		return err
	}
	return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("package %s %q deleted", p.ID, p.Name)})
}

func (s *Service) mayHave(tx *store.Tx, who Session, id string) (bool, error) {
	needs := func(seq wire.Sequence) bool { return needsPackage(tx, seq, id, 0) }
	if run, err := tx.ActiveRun(who.Device); err == nil {
		if seq, err := sequenceOf(tx, run); err == nil {
			if needs(seq) {
				return true, nil
			}
			if may, err := mayHaveForSoftware(tx, seq, id); err != nil || may {
				return may, err
			}
			if may, err := mayHaveForDrivers(tx, run, id); err != nil || may {
				return may, err
			}
		}
	}
	f, err := s.facts(tx, Asker{Device: who.Device, Environment: who.Environment, Stage: wire.StageAgent})
	if err != nil {
		return false, err
	}
	for _, c := range f.Candidates {
		if needs(c.Sequence) {
			return true, nil
		}
	}
	return false, nil
}

// sequenceOf is the sequence of a run as it was when the run began: replacing or
// deleting it meanwhile takes nothing away from the run.
func sequenceOf(tx *store.Tx, run store.Run) (wire.Sequence, error) {
	if run.References == nil { // a run of an older version
		return tx.Sequence(run.Sequence)
	}
	return wire.Sequence{ID: run.Sequence, Name: run.SequenceName, Version: run.SequenceVersion, BootImage: run.BootImage, References: run.References}, nil
}

// allReferences are those of a sequence and its children, without the children
// themselves. It is never nil.
func allReferences(tx *store.Tx, seq wire.Sequence) []wire.Reference {
	out, seen := []wire.Reference{}, map[string]bool{seq.ID: true}
	var walk func(wire.Sequence)
	walk = func(seq wire.Sequence) {
		for _, r := range seq.References {
			if r.Kind != "sequence" {
				out = append(out, r)
				continue
			}
			if child, err := tx.Sequence(r.ID); err == nil && !seen[r.ID] {
				seen[r.ID] = true
				walk(child)
			}
		}
	}
	walk(seq)
	return out
}

func needsPackage(tx *store.Tx, seq wire.Sequence, id string, depth int) bool {
	if depth > 10 {
		return false
	}
	for _, r := range seq.References {
		if r.ID == id && r.Kind != "sequence" {
			return true
		}
		if r.Kind == "sequence" {
			if child, err := tx.Sequence(r.ID); err == nil && needsPackage(tx, child, id, depth+1) {
				return true
			}
		}
	}
	return false
}

// packagesOf lists the packages of a sequence and its children (TSV-4), each once.
func packagesOf(tx *store.Tx, seq wire.Sequence) []string {
	list, seen := []string{}, map[string]bool{}
	var walk func(wire.Sequence)
	walk = func(seq wire.Sequence) {
		for _, r := range seq.References {
			if seen[r.ID] {
				continue
			}
			seen[r.ID] = true
			switch r.Kind {
			case "package":
				list = append(list, r.ID)
			case "sequence":
				if child, err := tx.Sequence(r.ID); err == nil {
					walk(child)
				}
			}
		}
	}
	walk(seq)
	return list
}

// BootImages lists all boot images.
func (s *Service) BootImages(ctx context.Context) (list []wire.BootImage, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.BootImages()
		return err
	})
	return list, err
}

// BootImage returns one boot image by id.
func (s *Service) BootImage(ctx context.Context, id string) (b wire.BootImage, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		b, err = tx.BootImage(id)
		return orMissing(err, "bootImage", fmt.Sprintf("no boot image has the id %q", printable(id, 40)), "see `bootyard image boot list`")
	})
	return b, err
}

// PutBootImage registers a boot image or changes one. Whoever calls it has
// looked at the files; Ready says that they are there.
func (s *Service) PutBootImage(ctx context.Context, b wire.BootImage) (wire.BootImage, error) {
	if b.Arch == "" || b.Dir == "" || b.Kernel == "" || b.Initrd == "" {
		return b, invalid("PXE-6", "bootImage", "a boot image needs an architecture, a folder, a kernel and an initrd", "build it with `bootyard image boot build`")
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		old, err := tx.BootImage(b.ID)
		switch {
		case err == nil:
			b.Created, b.Name = old.Created, cmp.Or(b.Name, old.Name)
			b.PackageShare = b.PackageShare || old.PackageShare
		case errors.Is(err, store.ErrNotFound):
			if _, err := tx.Sequence(b.ID); err == nil {
				return refusal(409, "TRM-4", "id", b.ID+" is the id of a task sequence", "leave the id out")
			}
			if b.ID, err = s.takeID(tx, b.ID, b.ID != ""); err != nil {
				return err
			}
			b.Created = s.Now().UTC()
		default:
			return err
		}
		b.Name = cmp.Or(printable(b.Name, 255), "Boot image "+b.Arch)
		if err := tx.PutBootImage(b); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("boot image %s %q for %s registered", b.ID, b.Name, b.Arch)})
	})
	s.feed.bump()
	return b, err
}
