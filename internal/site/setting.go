package site

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// DefaultSettings are the settings of a new site. Unknown computers are off:
// otherwise anybody on the wire becomes a managed client (SEC-5).
func DefaultSettings() wire.Settings {
	return wire.Settings{
		WindowsApplyInWinPE: true,
		WakeOnLAN:           true,
		DefaultSize:         100, // HRD-4
		SiteSystems:         "Warn",
		BootTokenTTL:        wire.Duration(15 * time.Minute),
		UnknownLedgerTTL:    wire.Duration(time.Hour), // PXE-19
		MediaGuard:          wire.Duration(24 * time.Hour),
		StaleAfter:          wire.Duration(30 * time.Minute),
		PollInterval:        wire.Duration(time.Minute),
		StateMaxBytes:       256 << 30,
		StateRetention:      wire.Duration(24 * time.Hour), // USM-1
		StateMinFree:        1 << 30,
		CaptureMaxBytes:     64 << 30, // IMG-1
	}
}

func settings(tx *store.Tx) (wire.Settings, error) {
	v := DefaultSettings()
	err := tx.Setting("site", &v)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return v, err
}

// Settings returns the site's settings.
func (s *Service) Settings(ctx context.Context) (v wire.Settings, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if v, err = settings(tx); err != nil {
			return err
		}
		p, err := pxePassword(tx)
		v.PXEPassword = len(p.Hash) > 0
		return err
	})
	return v, err
}

// SetSettings replaces the site's settings.
func (s *Service) SetSettings(ctx context.Context, v wire.Settings) error {
	v.PXEPassword = false // has its own way in
	switch {
	case v.SiteSystems != "Block" && v.SiteSystems != "Warn":
		return invalid("HRD-6", "deploymentSiteSystems", "value must be Block or Warn", "set one of the two")
	case v.DefaultSize < 0 || v.MaximumSize < 0 || v.MaximumSize != 0 && v.MaximumSize <= v.DefaultSize:
		return invalid("HRD-5", "deploymentMaximumSize", "the maximum size must be 0 (ignored) or greater than the default size", "raise it or set 0")
	case v.BootTokenTTL < wire.Duration(time.Minute) || v.BootTokenTTL > wire.Duration(time.Hour):
		return invalid("", "bootTokenTtl", "a boot token lives 1 minute to 1 hour", "choose a value such as 15m")
	case v.UnknownLedgerTTL < 0 || v.MediaGuard < 0 || v.WakeOffset < 0:
		return invalid("", "", "durations must not be negative", "use values such as 60m")
	case v.StateMaxBytes < 1<<20 || v.StateRetention < 0 || v.StateMinFree < 0:
		return invalid("USM-1", "stateMaxBytes", "a user state may have at least 1 MiB, and its retention and the space to leave free are not negative", "use values such as 268435456, 24h and 1073741824")
	case utf8.RuneCountInString(v.Organisation) > 255 || strings.ContainsFunc(v.Organisation, unicode.IsControl):
		return invalid("TS-170", "organisation", "the organisation has at most 255 characters on one line", "shorten it")
	case v.CaptureMaxBytes < 0:
		return invalid("IMG-1", "captureMaxBytes", "the size of a captured image is not negative", "use a value such as 68719476736, or 0 to take none")
	case v.StaleAfter < wire.Duration(time.Minute) || v.PollInterval < wire.Duration(time.Second):
		return invalid("", "staleAfter", "staleAfter is at least 1m and pollInterval at least 1s", "use values such as 30m and 1m")
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.PutSetting("site", v); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: "site settings changed"})
	})
	s.feed.bump()
	return err
}
