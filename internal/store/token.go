package store

import (
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// Token is a credential at rest: Hash is the SHA-256 of the token in hex. What
// it is bound to is empty where it does not matter.
type Token struct {
	Hash     string     `json:"-"`
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`    // boot, session, resume, client, media, admin
	Subject  string     `json:"subject"` // device, run, medium, name, or MAC and address
	Name     string     `json:"name,omitempty"`
	Scope    wire.Scope `json:"scope,omitempty"`
	Boot     string     `json:"boot,omitempty"`
	Media    string     `json:"media,omitempty"`
	Run      string     `json:"run,omitempty"`
	UUID     string     `json:"uuid,omitempty"`
	MAC      string     `json:"mac,omitempty"`
	Address  string     `json:"address,omitempty"`
	Launch   string     `json:"launch,omitempty"`
	Env      string     `json:"env,omitempty"`
	Nonce    string     `json:"nonce,omitempty"`    // hash of what the agent that used it first sent along
	Locked   bool       `json:"locked,omitempty"`   // session: good for nothing until the PXE password is given
	Unlocked bool       `json:"unlocked,omitempty"` // session: it was given
	Created  time.Time  `json:"created"`
	Expires  time.Time  `json:"-"`
	Used     time.Time  `json:"-"`
	Revoked  time.Time  `json:"-"`
	LastUsed time.Time  `json:"-"`
}

const tokenColumns = "hash, doc, expires, used, revoked, last_used"

func scanToken(scan func(...any) error) (Token, error) {
	var tok Token
	var hash, doc string
	var expires, used, revoked, last int64
	if err := scan(&hash, &doc, &expires, &used, &revoked, &last); err != nil {
		return tok, err
	}
	if err := decode("token", doc, &tok); err != nil {
		return tok, err
	}
	tok.Hash, tok.Expires, tok.Used, tok.Revoked, tok.LastUsed = hash, fromMillis(expires), fromMillis(used), fromMillis(revoked), fromMillis(last)
	return tok, nil
}

// Token finds a credential by its hash, or ErrNotFound. The comparison is of
// hashes by an index, so its time tells nothing about the token.
func (t *Tx) Token(hash string) (Token, error) {
	return scanToken(func(dest ...any) error {
		return t.one("token", dest, "SELECT "+tokenColumns+" FROM tokens WHERE hash = ?", hash)
	})
}

// Tokens lists the credentials of a kind in the order of their making.
func (t *Tx) Tokens(kind string) ([]Token, error) {
	hashes, err := t.strings("tokens", "SELECT hash FROM tokens WHERE kind = ? ORDER BY id", kind)
	if err != nil {
		return nil, err
	}
	list := make([]Token, 0, len(hashes))
	for _, h := range hashes {
		tok, err := t.Token(h)
		if err != nil {
			return nil, err
		}
		list = append(list, tok)
	}
	return list, nil
}

// PutToken stores a new credential.
func (t *Tx) PutToken(tok Token) error {
	_, err := t.exec("token", "INSERT INTO tokens (hash, id, kind, subject, expires, used, revoked, last_used, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		tok.Hash, tok.ID, tok.Kind, tok.Subject, millis(tok.Expires), millis(tok.Used), millis(tok.Revoked), millis(tok.LastUsed), encode(tok))
	return err
}

// UseToken marks a credential used and reports whether this call was the first.
func (t *Tx) UseToken(hash string, now time.Time) (bool, error) {
	n, err := t.exec("token", "UPDATE tokens SET used = ? WHERE hash = ? AND used = 0", millis(now), hash)
	return n == 1, err
}

// PutTokenDoc keeps what changed in a stored credential beside its columns: all
// but Kind, Subject, ID and the times.
func (t *Tx) PutTokenDoc(tok Token) error {
	_, err := t.exec("token", "UPDATE tokens SET doc = ? WHERE hash = ?", encode(tok), tok.Hash)
	return err
}

// RevokeUnusedTokens ends the credentials of a kind and subject that nobody used
// yet and says how many.
func (t *Tx) RevokeUnusedTokens(kind, subject string, now time.Time) (int64, error) {
	return t.exec("token", "UPDATE tokens SET revoked = ? WHERE kind = ? AND subject = ? AND revoked = 0 AND used = 0", millis(now), kind, subject)
}

// TouchToken records a use and moves the end of validity.
func (t *Tx) TouchToken(hash string, now, expires time.Time) error {
	_, err := t.exec("token", "UPDATE tokens SET last_used = ?, expires = ? WHERE hash = ?", millis(now), millis(expires), hash)
	return err
}

// RevokeTokens ends the credentials of a kind and subject and says how many.
func (t *Tx) RevokeTokens(kind, subject string, now time.Time) (int64, error) {
	return t.exec("token", "UPDATE tokens SET revoked = ? WHERE kind = ? AND subject = ? AND revoked = 0", millis(now), kind, subject)
}

// RevokeToken ends one credential by its id and reports whether there was one.
func (t *Tx) RevokeToken(id string, now time.Time) (bool, error) {
	n, err := t.exec("token", "UPDATE tokens SET revoked = ? WHERE id = ? AND revoked = 0", millis(now), id)
	return n == 1, err
}

// DeleteTokensExpired forgets credentials that ended before a time.
func (t *Tx) DeleteTokensExpired(before time.Time) error {
	_, err := t.exec("token", "DELETE FROM tokens WHERE expires < ?", millis(before))
	return err
}
