package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bootyard/bootyard/content/library"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// collectEvery is how often the content library is looked through.
	collectEvery = 6 * time.Hour
	// keepUnused is how long content stays that nothing names any more. It is
	// longer than a content URL lives, so that a download that was allowed comes
	// to its end, and leaves a day to repeat an import that was cut off.
	keepUnused = contentLifetime + 12*time.Hour
)

// collector frees what deletions and imports that were cut off left in the
// content library, and versions that an update has replaced.
type collector struct {
	library  *library.Library
	expire   func(context.Context) error                   // of the site: user states whose retention is over
	packages func(context.Context) ([]wire.Package, error) // the site's records
	now      func() time.Time
	log      *slog.Logger
}

// run collects until ctx ends. A failure is logged: the next round tries again.
func (c *collector) run(ctx context.Context) error {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		if err := c.collect(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("collect unused content", "err", err)
		}
		if err := c.expire(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("remove expired user states", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// collect makes one round. Removals of the library spare what an import or a
// download uses at this moment.
func (c *collector) collect(ctx context.Context) error {
	stored, err := c.library.List()
	if err != nil {
		return err
	}
	records, err := c.records(ctx) // after the list: what was imported meanwhile is in both
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range stored {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.settle(ctx, p, records); err != nil && !errors.Is(err, library.ErrNotFound) && !errors.Is(err, library.ErrBusy) {
			errs = append(errs, fmt.Errorf("package %s: %w", p.ID, err))
		}
	}
	files, bytes, err := c.library.Collect(keepUnused)
	if files > 0 {
		c.log.Info("unused content removed", "files", files, "bytes", bytes)
	}
	return errors.Join(append(errs, err)...)
}

func (c *collector) settle(ctx context.Context, p library.Package, records map[string]wire.Package) error {
	if record, ok := records[p.ID]; ok {
		if c.now().Sub(record.Updated) <= keepUnused {
			return nil
		}
		_, err := c.library.Prune(p.ID, record.Version)
		return err
	}
	_, m, err := c.library.Manifest(p.ID)
	if err != nil || c.now().Sub(m.CreatedAt) <= keepUnused {
		return err
	}
	_, err = c.library.Remove(p.ID, func() error {
		records, err := c.records(ctx)
		if _, ok := records[p.ID]; ok {
			return library.ErrBusy // it has just come
		}
		return err
	})
	return err
}

func (c *collector) records(ctx context.Context) (map[string]wire.Package, error) {
	list, err := c.packages(ctx)
	records := make(map[string]wire.Package, len(list))
	for _, p := range list {
		records[p.ID] = p
	}
	return records, err
}

func (a *appliance) collector() *collector {
	return &collector{library: a.library, packages: a.site.Packages, expire: a.site.ExpireStates, now: time.Now, log: a.log}
}
