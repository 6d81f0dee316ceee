package site

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// captureKept is how long an upload that does not go on is kept, and how long an agent may ask what became of one.
const captureKept = 7 * 24 * time.Hour

// maxCaptureStep bounds what tells a step from others, in bytes: a number and twice 60 characters of any script.
const maxCaptureStep = 512

// maxCaptureOpened is how often a step may begin anew with another name, or after a failure. It bounds what a machine
// makes of audit entries.
const maxCaptureOpened = 10

// roomForCapture keeps room on the disk, whatever machines send.
func (s *Service) roomForCapture(set wire.Settings, more int64) error {
	return s.roomIn(s.CaptureDir, set, more, wire.Problem{Rule: "IMG-1", Field: "data"})
}

// RequestCapture opens the upload of a captured image, or the one that the same step of the run began before (IMG-1). A
// run may bring as many images as it has steps that capture one: a session that was stolen from another run brings none.
func (s *Service) RequestCapture(ctx context.Context, who Session, run string, r wire.CaptureRequest) (out wire.CaptureStore, err error) {
	if s.CaptureDir == "" {
		return out, refusal(503, "IMG-1", "capture", "this appliance takes no captured images", "capture to a share")
	}
	r.Name = printable(r.Name, 200)
	if r.Name == "" || r.Step == "" || len(r.Step) > maxCaptureStep || r.Format != wire.CaptureWIM && r.Format != wire.CaptureTar {
		return out, invalid("IMG-1", "name", "a captured image has a name of 1 to 200 bytes and is "+wire.CaptureWIM+" or "+wire.CaptureTar, `set OSDCaptureDestination to a name such as bootyard:Reference.tar.zst`)
	}
	var c store.Capture
	var anew []string
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		own, err := activeRun(tx, who, run)
		if err != nil {
			return err
		}
		set, err := settings(tx)
		if err != nil {
			return err
		}
		if out.MaxBytes = set.CaptureMaxBytes; out.MaxBytes == 0 {
			return refusal(403, "IMG-1", "capture", "this site takes no captured images", "allow them with `bootyard settings set --capture-max-bytes`, or capture to a share")
		}
		c, anew, err = s.openCapture(ctx, tx, own, r)
		return err
	})
	for _, id := range anew {
		if err == nil {
			err = s.removeCapture(id)
		}
	}
	if err != nil {
		return out, err
	}
	out.ID, out.Complete = c.ID, c.Complete != nil
	if !out.Complete {
		out.Pieces, err = s.captured(c.ID)
	}
	return out, err
}

// openCapture finds the upload of the step or begins one; what the step gave up is removed.
func (s *Service) openCapture(ctx context.Context, tx *store.Tx, run store.Run, r wire.CaptureRequest) (c store.Capture, gone []string, err error) {
	list, err := tx.CapturesOf(run.ID)
	if err != nil {
		return c, nil, err
	}
	count, opened := 0, 0
	for _, old := range list {
		switch {
		case old.Step != r.Step:
			count++
		case old.Failure == "" && old.Name == r.Name && old.Format == r.Format:
			return old, nil, nil
		case old.Package != "" || old.Waits():
			return c, nil, refusal(409, "IMG-1", "step", "this step has captured an image already", "give the sequence another step for it")
		default:
			if opened = max(opened, old.Opened+1); opened > maxCaptureOpened {
				return c, nil, refusal(409, "IMG-1", "step", fmt.Sprintf("this step began to capture an image %d times", opened), "correct the cause, and start the run again")
			}
			gone = append(gone, old.ID)
			if err := tx.DeleteCapture(old.ID); err != nil {
				return c, nil, err
			}
		}
	}
	steps, err := s.captureSteps(tx, run)
	if err != nil {
		return c, nil, err
	}
	if count >= steps {
		return c, nil, refusal(403, "IMG-1", "run", fmt.Sprintf("the task sequence of this run has %d enabled steps that capture an image, and %d images were captured", steps, count), "deploy a sequence with a Capture Operating System Image step")
	}
	now := s.Now().UTC()
	c = store.Capture{ID: s.newID(), Run: run.ID, Device: run.Device, DeviceName: run.DeviceName, Step: r.Step, Name: r.Name, Format: r.Format, Opened: opened, Created: now, Expires: now.Add(captureKept)}
	if err := tx.PutCapture(c); err != nil {
		return c, nil, err
	}
	return c, gone, s.audit(ctx, tx, wire.StatusMessage{Device: run.Device, Run: run.ID, Text: fmt.Sprintf("%s begins to capture the image %q (%s) into the appliance", run.DeviceName, c.Name, c.Format)})
}

// captureSteps counts the steps of a run that may bring an image, with those of its children, as they were when it began.
func (s *Service) captureSteps(tx *store.Tx, run store.Run) (n int, err error) {
	if s.Inspector == nil {
		return 0, nil
	}
	add := func(id string, version int) error {
		xml, err := tx.SequenceXML(id, version)
		if err != nil {
			return err
		}
		f, err := s.Inspector.Inspect(xml)
		n += f.Captures
		return err
	}
	err = add(run.Sequence, run.SequenceVersion)
	for id, version := range run.Children {
		if err == nil && !slices.Contains(run.DisabledChildren, id) {
			err = add(id, version)
		}
	}
	return n, err
}

// captureOf finds an upload of the session's run.
func captureOf(tx *store.Tx, who Session, run, id string) (store.Capture, error) {
	own, err := activeRun(tx, who, run)
	if err != nil {
		return store.Capture{}, err
	}
	c, err := tx.Capture(id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	if err != nil || c.Run != own.ID {
		return c, missing("capture", "this run uploads no such image", "request it")
	}
	return c, nil
}

// PutCapturePiece stores one piece. The same number again replaces it.
func (s *Service) PutCapturePiece(ctx context.Context, who Session, run, id string, number int, p wire.CapturePieceData) error {
	if err := checkPiece(number, p); err != nil {
		return err
	}
	set, err := s.takesPieces(ctx, who, run, id)
	if err != nil {
		return err
	}
	if end := int64(number)*wire.CapturePiece + int64(len(p.Data)); end > set.CaptureMaxBytes {
		return refusal(413, "IMG-1", "data", fmt.Sprintf("the image is larger than the %d bytes that this site takes", set.CaptureMaxBytes), "raise it with `bootyard settings set --capture-max-bytes`, or capture to a share")
	}
	if err := s.roomForCapture(set, wire.CapturePiece); err != nil {
		return err
	}
	s.captures.pieces.RLock()
	defer s.captures.pieces.RUnlock()
	if _, err := s.takesPieces(ctx, who, run, id); err != nil { // it may have ended meanwhile
		return err
	}
	return s.keepPiece(id, number, p)
}

// takesPieces refuses pieces of an image that is complete.
func (s *Service) takesPieces(ctx context.Context, who Session, run, id string) (set wire.Settings, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if set, err = settings(tx); err != nil {
			return err
		}
		c, err := captureOf(tx, who, run, id)
		if err == nil && c.Complete != nil {
			err = refusal(409, "IMG-1", "capture", "the image is complete", "ask what became of it")
		}
		return err
	})
	return set, err
}

// CompleteCapture ends an upload. The image is stored by StoreCaptures; until then the answer is empty, and the agent asks
// again. A piece that is not there as announced is a conflict.
func (s *Service) CompleteCapture(ctx context.Context, who Session, run, id string, r wire.CaptureComplete) (out wire.CaptureStored, err error) {
	var c store.Capture
	var set wire.Settings
	err = s.Store.View(ctx, func(tx *store.Tx) (err error) {
		if set, err = settings(tx); err == nil {
			c, err = captureOf(tx, who, run, id)
		}
		return err
	})
	if err != nil {
		return out, err
	}
	if c.Complete == nil {
		if err := s.agreeOnPieces(id, r.Pieces, r.Size); err != nil {
			return out, err
		}
		if err := s.roomForCapture(set, r.Size); err != nil { // the library's copy
			return out, err
		}
		if c, err = s.endUpload(ctx, who, run, id, r); err != nil {
			return out, err
		}
	}
	if c.Failure != "" {
		return out, refusal(409, "IMG-1", "capture", c.Failure, "capture it again")
	}
	return wire.CaptureStored{Package: c.Package}, nil
}

func (s *Service) endUpload(ctx context.Context, who Session, run, id string, r wire.CaptureComplete) (c store.Capture, err error) {
	s.captures.pieces.Lock() // pieces that are being written come first, later ones see that it is complete
	defer s.captures.pieces.Unlock()
	pieces := r.Pieces
	r.Pieces, r.Unpacked = nil, max(0, min(r.Unpacked, 1<<50))
	r.Author, r.Description, r.Version = printable(r.Author, 255), printable(r.Description, 1024), printable(r.Version, 128)
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if c, err = captureOf(tx, who, run, id); err != nil || c.Complete != nil {
			return err
		}
		if err := s.agreeOnPieces(id, pieces, r.Size); err != nil { // one may have been replaced meanwhile
			return err
		}
		c.Complete, c.Count, c.Expires = &r, len(pieces), s.Now().UTC().Add(captureKept)
		return tx.PutCapture(c)
	})
	if err == nil {
		s.captures.wake()
	}
	return c, err
}
