package signedurl

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Errors of Verify. What a client sees is the same for both.
var (
	ErrSignature = errors.New("signature does not match")
	ErrExpired   = errors.New("signed path has expired")
)

// Signer signs paths with one key. It is safe for concurrent use.
type Signer struct {
	key []byte
	now func() time.Time
}

// New makes a Signer. The key must be at least 32 random bytes and stays the
// same over restarts, so that a machine in the middle of a download goes on.
func New(key []byte, now func() time.Time) (*Signer, error) {
	if len(key) < 32 {
		return nil, fmt.Errorf("signing key has %d bytes, needs 32", len(key))
	}
	return &Signer{key: append([]byte(nil), key...), now: now}, nil
}

// Path puts expiry and signature in front of name: /expiry/signature/name. The
// form is a plain path because GRUB and old iPXE stumble over queries. name is
// relative and clean. lifetime is rounded up to whole seconds.
func (s *Signer) Path(scope, name string, lifetime time.Duration) string {
	expiry := strconv.FormatInt(s.now().Add(lifetime+time.Second-1).Unix(), 36)
	return "/" + expiry + "/" + s.sign(scope, expiry, name) + "/" + name
}

// Verify takes apart what Path made and returns the name. The scope must be the
// one that was signed: a boot file's signature opens no content.
func (s *Signer) Verify(scope, path string) (name string, err error) {
	expiry, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok {
		return "", ErrSignature
	}
	signature, name, ok := strings.Cut(rest, "/")
	if !ok || !hmac.Equal([]byte(signature), []byte(s.sign(scope, expiry, name))) {
		return "", ErrSignature
	}
	unix, err := strconv.ParseInt(expiry, 36, 64)
	if err != nil {
		return "", ErrSignature
	}
	if s.now().Unix() > unix {
		return "", ErrExpired
	}
	return name, nil
}

// Prefix signs every name below a directory: the result ends in a slash and a
// caller appends names. Verify such paths with VerifyPrefix.
func (s *Signer) Prefix(scope string, lifetime time.Duration) string {
	expiry := strconv.FormatInt(s.now().Add(lifetime+time.Second-1).Unix(), 36)
	return "/" + expiry + "/" + s.sign(scope, expiry, "") + "/"
}

// VerifyPrefix checks a path made of Prefix and a name, and returns the name.
func (s *Signer) VerifyPrefix(scope, path string) (name string, err error) {
	expiry, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	signature, name, ok := strings.Cut(rest, "/")
	if !ok {
		return "", ErrSignature
	}
	if _, err := s.Verify(scope, "/"+expiry+"/"+signature+"/"); err != nil {
		return "", err
	}
	return name, nil
}

func (s *Signer) sign(scope, expiry, name string) string {
	mac := hmac.New(sha256.New, s.key)
	// The lengths are fixed by the separator: neither scope nor expiry holds NUL.
	fmt.Fprintf(mac, "%s\x00%s\x00%s", scope, expiry, name)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}
