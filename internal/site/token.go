package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Kinds of tokens. Each kind is accepted in one place only.
const (
	kindBoot    = "boot"
	kindSession = "session"
	kindResume  = "resume"
	kindClient  = "client"
	kindMedia   = "media"
	kindAdmin   = "admin"
)

const (
	sessionTTL = 24 * time.Hour       // slides with use
	resumeTTL  = 7 * 24 * time.Hour   // a machine may be off for a weekend
	clientTTL  = 365 * 24 * time.Hour // slides with use
	mediaTTL   = 3 * 365 * 24 * time.Hour
	adminTTL   = 90 * 24 * time.Hour
	// slideEvery bounds how often use of a token is written down.
	slideEvery = 5 * time.Minute
)

// newToken makes 256 random bits as text. The prefix tells people and secret
// scanners what it is.
func (s *Service) newToken(kind string) (string, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(s.Random, b); err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return tokenText(kind, b), nil
}

// hashToken is what the database keeps. The token has 256 random bits, so a
// plain hash cannot be searched, and looking it up by index compares hashes
// and not secrets.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// issue stores a new token and returns it; only its hash is kept.
func (s *Service) issue(tx *store.Tx, t store.Token, ttl time.Duration) (string, error) {
	token, err := s.newToken(t.Kind)
	if err != nil {
		return "", err
	}
	return token, s.keep(tx, t, token, ttl)
}

// keep stores the hash of a token.
func (s *Service) keep(tx *store.Tx, t store.Token, token string, ttl time.Duration) error {
	now := s.Now().UTC()
	t.Hash, t.ID, t.Created, t.Expires = hashToken(token), s.newID(), now, now.Add(ttl)
	return tx.PutToken(t)
}

func unauthorized(detail, remedy string) *wire.Problem {
	return refusal(http.StatusUnauthorized, "", "", detail, remedy)
}

// lookup finds a token that is valid now.
func (s *Service) lookup(tx *store.Tx, kind, token string) (store.Token, error) {
	if len(token) > 256 {
		return store.Token{}, unauthorized("the token is not valid", "")
	}
	t, err := tx.Token(hashToken(token))
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Kind != kind {
		return t, unauthorized("the token is not valid", "")
	}
	if err != nil {
		return t, err
	}
	now := s.Now()
	if !t.Revoked.IsZero() {
		return t, unauthorized("the token was revoked", "")
	}
	if !now.Before(t.Expires) {
		return t, unauthorized("the token has expired", "start the machine again, or make a new token")
	}
	return t, nil
}

// slide extends the validity of a token in use.
func (s *Service) slide(ctx context.Context, t store.Token, ttl time.Duration) {
	now := s.Now()
	if now.Sub(t.LastUsed) < slideEvery {
		return
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error { return tx.TouchToken(t.Hash, now, now.Add(ttl)) })
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("token use not recorded", "kind", t.Kind, "err", err)
	}
}

// CreateToken makes a token for the admin API.
func (s *Service) CreateToken(ctx context.Context, in wire.TokenCreate) (out wire.TokenCreated, err error) {
	if in.Scope == "" {
		in.Scope = wire.ScopeRead
	}
	if in.Scope != wire.ScopeRead && in.Scope != wire.ScopeWrite && in.Scope != wire.ScopeAdmin {
		return out, invalid("", "scope", "scope is read, write or admin", "choose one")
	}
	ttl := time.Duration(in.TTL)
	if ttl == 0 {
		ttl = adminTTL
	}
	name := printable(in.Name, 64)
	if name == "" || ttl < time.Minute || ttl > 10*adminTTL {
		return out, invalid("", "name", "a token needs a name and lives 1 minute to 900 days", "give both")
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if out.Token, err = s.issue(tx, store.Token{Kind: kindAdmin, Subject: name, Name: name, Scope: in.Scope}, ttl); err != nil {
			return err
		}
		t, err := tx.Token(hashToken(out.Token))
		out.TokenInfo = tokenInfo(t)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("token %s %q created with scope %s", t.ID, name, in.Scope)})
	})
	return out, err
}

func tokenInfo(t store.Token) wire.TokenInfo {
	i := wire.TokenInfo{ID: t.ID, Name: t.Name, Kind: t.Kind, Scope: t.Scope, Created: t.Created, Expires: t.Expires}
	if !t.LastUsed.IsZero() {
		i.LastUsed = &t.LastUsed
	}
	if !t.Revoked.IsZero() {
		i.Revoked = &t.Revoked
	}
	return i
}

// Tokens lists the tokens of the admin API.
func (s *Service) Tokens(ctx context.Context) (list []wire.TokenInfo, err error) {
	list = []wire.TokenInfo{}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Tokens(kindAdmin)
		for _, t := range all {
			list = append(list, tokenInfo(t))
		}
		return err
	})
	return list, err
}

// RevokeToken ends a token of the admin API.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		ok, err := tx.RevokeToken(id, s.Now())
		if err != nil {
			return err
		}
		if !ok {
			return missing("token", "no valid token has that id", "see `bootyard token list`")
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: "token " + printable(id, 40) + " revoked"})
	})
}

// Admin is who uses the admin API.
type Admin struct {
	Name  string
	Scope wire.Scope
}

// AuthenticateAdmin checks a token of the admin API.
func (s *Service) AuthenticateAdmin(ctx context.Context, token string) (Admin, error) {
	var t store.Token
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		t, err = s.lookup(tx, kindAdmin, token)
		return err
	})
	if err != nil {
		return Admin{}, err
	}
	// Admin tokens do not slide: their end was chosen. Only use is recorded.
	s.slide(ctx, t, t.Expires.Sub(s.Now()))
	return Admin{Name: t.Name, Scope: t.Scope}, nil
}

// alertEvery is how long the same alert is only counted.
const alertEvery = time.Minute

// alert raises an alert, or counts it again, and records it.
func (s *Service) alert(tx *store.Tx, key, severity, text string, m wire.StatusMessage) error {
	now := s.Now().UTC()
	a, err := tx.Alert(key)
	if errors.Is(err, store.ErrNotFound) {
		a, err = wire.Alert{Key: key, First: now}, nil
	}
	if err != nil {
		return err
	}
	// Whoever repeats it at once makes the count grow and not the messages.
	again := a.State == "active" && a.Text == text && now.Sub(a.Last) < alertEvery
	a.State, a.Severity, a.Last, a.Text = "active", severity, now, text
	a.Count++
	if err := tx.PutAlert(a); err != nil || again {
		return err
	}
	m.Kind, m.Severity, m.Time, m.Text = "alert", severity, now, text
	_, err = tx.AddMessage(m)
	return err
}
