package site

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/bootyard/bootyard/internal/limit"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	passwordSetting = "pxe-password"
	minPassword     = 8
	maxPassword     = 128
	// passwordRounds makes one guess cost a tenth of a second or more, here and
	// for whoever gets hold of the database.
	passwordRounds = 600_000
	passwordSalt   = 16
	// A person at the machine mistypes a few times. Whoever tries a list gets one
	// guess a minute, for each machine and each address.
	guessBurst     = 6
	guessPerSecond = 1.0 / 60
	// All machines together: a whole room that starts at once.
	allGuesses   = 100
	allPerSecond = 1
	// guessesAtOnce bounds the processors that guessing can take.
	guessesAtOnce = 2
)

// storedPassword is the PXE password at rest. Without a hash there is none.
type storedPassword struct {
	Salt   []byte `json:"salt"`
	Hash   []byte `json:"hash"`
	Rounds int    `json:"rounds"`
}

// guesses bounds what can be tried.
type guesses struct {
	each, all *limit.Limiter
	working   chan struct{}
}

func (s *Service) newGuesses() guesses {
	return guesses{each: limit.New(guessPerSecond, guessBurst, s.Now), all: limit.New(allPerSecond, allGuesses, s.Now), working: make(chan struct{}, guessesAtOnce)}
}

func pxePassword(tx *store.Tx) (p storedPassword, err error) {
	err = tx.Setting(passwordSetting, &p)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return p, err
}

// PXEPasswordSet reports whether machines that start from the network have to
// give a password (PXE-23).
func (s *Service) PXEPasswordSet(ctx context.Context) (set bool, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		p, err := pxePassword(tx)
		set = len(p.Hash) > 0
		return err
	})
	return set, err
}

// SetPXEPassword sets the password that is asked for at machines that start from
// the network (PXE-23), or ends that when it is empty. Only a salted hash is
// kept. Machines that have a session already are not asked.
func (s *Service) SetPXEPassword(ctx context.Context, password string) error {
	var p storedPassword
	text := "PXE password removed"
	if password != "" {
		if n := utf8.RuneCountInString(password); n < minPassword || n > maxPassword || printable(password, 4*maxPassword) != password {
			return invalid("PXE-23", "password", fmt.Sprintf("a PXE password has %d to %d characters that can be typed, without blanks at the ends", minPassword, maxPassword), "choose another one")
		}
		p = storedPassword{Salt: make([]byte, passwordSalt), Rounds: passwordRounds}
		if _, err := io.ReadFull(s.Random, p.Salt); err != nil {
			return fmt.Errorf("make salt: %w", err)
		}
		var err error
		if p.Hash, err = p.of(password); err != nil {
			return err
		}
		text = "PXE password set"
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.PutSetting(passwordSetting, p); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Rule: "PXE-23", Text: text})
	})
}

func (p storedPassword) of(password string) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, p.Salt, p.Rounds, sha256.Size)
}

// Unlock takes the PXE password for a session that needs it (PXE-23). remote is
// the address that the request came from. Guesses are limited for each machine,
// for each address and in all.
func (s *Service) Unlock(ctx context.Context, who Session, password, remote string) error {
	if !who.Locked {
		return nil
	}
	if len(password) > 4*maxPassword {
		return wrongPassword()
	}
	keys := []string{"device " + who.Device, "address " + remote}
	allowed := true
	for _, k := range keys {
		allowed = s.guesses.each.Allow(k) && allowed
	}
	// Asked last: one machine that tries a list must not use up what all have.
	if !allowed || !s.guesses.all.Allow("") {
		return refusal(http.StatusTooManyRequests, "PXE-23", "password", "too many wrong PXE passwords", "wait a minute")
	}
	right, err := s.isPassword(ctx, password)
	if err != nil {
		return err
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		d, err := tx.Device(who.Device)
		if err != nil {
			return err
		}
		if !right {
			return s.alert(tx, "pxe-password:"+d.ID, "warning", fmt.Sprintf("a wrong PXE password was given at %s (from %s)", d.Name, remote), wire.StatusMessage{Rule: "PXE-23", Device: d.ID})
		}
		t, err := tx.Token(who.token)
		if err != nil {
			return err
		}
		t.Locked, t.Unlocked = false, true
		if err := tx.PutTokenDoc(t); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Rule: "PXE-23", Device: d.ID, Text: "the PXE password was given at " + d.Name})
	})
	if err != nil {
		return err
	}
	if !right {
		s.Log.Warn("wrong PXE password", "device", who.Device, "remote", remote)
		return wrongPassword()
	}
	for _, k := range keys {
		s.guesses.each.Forgive(k)
	}
	return nil
}

func wrongPassword() error {
	return refusal(http.StatusForbidden, "PXE-23", "password", "the PXE password is wrong", "type it again")
}

// isPassword compares; when the password was removed meanwhile any is right.
func (s *Service) isPassword(ctx context.Context, password string) (bool, error) {
	var p storedPassword
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		p, err = pxePassword(tx)
		return err
	})
	if err != nil || len(p.Hash) == 0 {
		return err == nil, err
	}
	select {
	case s.guesses.working <- struct{}{}:
		defer func() { <-s.guesses.working }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	hash, err := p.of(password)
	return err == nil && hmac.Equal(hash, p.Hash), err
}
