package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// captureEvery is how often StoreCaptures looks by itself; the end of an upload wakes it.
const captureEvery = time.Minute

// captureDesk wakes the one that stores images, and keeps pieces away from an image that is complete.
type captureDesk struct {
	pieces sync.RWMutex // read: a piece is checked against its record and written; write: an upload ends
	once   sync.Once
	woke   chan struct{}
}

func (d *captureDesk) signal() chan struct{} {
	d.once.Do(func() { d.woke = make(chan struct{}, 1) })
	return d.woke
}

func (d *captureDesk) wake() {
	select {
	case d.signal() <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// StoreCaptures takes images that came whole into the library until ctx ends. An appliance runs it once. It is apart from
// the requests, for the library reads and writes the whole image, and a request that was cut off would begin again.
func (s *Service) StoreCaptures(ctx context.Context) error {
	tick := time.NewTicker(captureEvery)
	defer tick.Stop()
	for {
		if err := s.storeWaiting(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("store captured images", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.captures.signal():
		}
	}
}

func (s *Service) storeWaiting(ctx context.Context) error {
	var list, expired []store.Capture
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		if list, err = tx.WaitingCaptures(); err == nil {
			expired, err = tx.ExpiredCaptures(s.Now())
		}
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range list {
		errs = append(errs, s.storeCapture(ctx, c))
	}
	for _, c := range expired {
		err := s.Store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteCapture(c.ID) })
		if err == nil {
			err = s.removeCapture(c.ID)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, s.sweepCaptures(ctx))...)
}

// sweepCaptures removes folders of uploads that have no record: the appliance was killed between the removal of the one and
// of the other, or a piece came in after both. A folder is only made after its record.
func (s *Service) sweepCaptures(ctx context.Context) error {
	entries, err := os.ReadDir(s.CaptureDir)
	if s.CaptureDir == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if dir, more := s.captureFolder(e.Name()); more != nil || filepath.Base(dir) != e.Name() {
			continue // not one of ours
		}
		more := s.Store.View(ctx, func(tx *store.Tx) error {
			_, err := tx.Capture(e.Name())
			return err
		})
		if errors.Is(more, store.ErrNotFound) {
			more = s.removeCapture(e.Name())
		}
		err = errors.Join(err, more)
	}
	return err
}

// storeCapture makes a new OS image of an upload. It always is a new package, so whoever has a run's session replaces
// nothing. The package is known in the transaction that says so in the capture's record.
func (s *Service) storeCapture(ctx context.Context, c store.Capture) error {
	dir, err := s.checkCapture(ctx, c)
	if err == nil {
		p := wire.Package{Name: c.Name, Kind: "osImage", Description: c.Complete.Description, Author: c.Complete.Author, ImageVersion: c.Complete.Version, CapturedFrom: c.DeviceName}
		_, err = s.importPackage(ctx, p, dir, func(tx *store.Tx, p wire.Package) error {
			c.Package = p.ID
			return errors.Join(tx.PutCapture(c), s.audit(ctx, tx, wire.StatusMessage{Device: c.Device, Run: c.Run,
				Text: fmt.Sprintf("image %q captured from %s is package %s: %d bytes", c.Name, c.DeviceName, p.ID, c.Complete.Size)}))
		})
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Error("captured image was not stored", "run", c.Run, "name", c.Name, "err", err)
		c.Package, c.Failure = "", "the appliance could not store the image; its log says why"
		if errors.Is(err, errDamagedCapture) {
			c.Failure = err.Error()
		}
		err = s.Store.Update(ctx, func(tx *store.Tx) error {
			return errors.Join(tx.PutCapture(c), s.audit(ctx, tx, wire.StatusMessage{Severity: "error", Device: c.Device, Run: c.Run, Text: fmt.Sprintf("image %q captured from %s: %s", c.Name, c.DeviceName, c.Failure)}))
		})
	}
	if err != nil {
		return err
	}
	return s.removeCapture(c.ID)
}
