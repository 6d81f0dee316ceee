package appliance

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bootyard/bootyard/internal/config"
)

// live holds the part of the configuration that may change while the appliance
// runs. It is safe for concurrent use.
type live struct{ v atomic.Pointer[liveSettings] }

// liveSettings are never changed, only replaced.
type liveSettings struct {
	exclude    []string       // pxe.exclude: MACs that get no answer (PXE-4)
	networks   []netip.Prefix // pxe.networks
	timeout    time.Duration  // pxe.menu_timeout
	kernelArgs string         // pxe.kernel_args: the operator's own
}

func newLive(cfg *config.Config) *live {
	l := &live{}
	l.set(cfg)
	return l
}

func (l *live) now() *liveSettings { return l.v.Load() }

func (l *live) set(cfg *config.Config) {
	networks, _ := cfg.PXE.Served() // checked when it was read
	l.v.Store(&liveSettings{exclude: slices.Clone(cfg.PXE.Exclude), networks: networks, timeout: cfg.PXE.MenuTimeout, kernelArgs: cfg.PXE.KernelArgs})
}

// reload takes up what comes in until ctx ends.
func (a *appliance) reload(ctx context.Context, changed <-chan *config.Config) error {
	for {
		select {
		case cfg := <-changed:
			a.apply(cfg)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// apply takes up the keys that are safe to change and names the others.
func (a *appliance) apply(cfg *config.Config) {
	a.live.set(cfg)
	log := a.log.With("pxe.exclude", len(cfg.PXE.Exclude), "pxe.networks", strings.Join(cfg.PXE.Networks, " "))
	if later := restartNeeded(*a.cfg, *cfg); len(later) > 0 {
		log.Warn("configuration read again; some of what changed needs a restart", "sections", strings.Join(later, " "))
		return
	}
	log.Info("configuration read again")
}

// restartNeeded names the sections in which anything differs that is not live.
func restartNeeded(was, is config.Config) (sections []string) {
	for _, c := range []*config.Config{&was, &is} {
		c.PXE.Exclude, c.PXE.Networks, c.PXE.MenuTimeout, c.PXE.KernelArgs = nil, nil, 0, ""
	}
	a, b := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("yaml"), ",")
			sections = append(sections, name)
		}
	}
	return sections
}
