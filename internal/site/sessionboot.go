package site

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Characters of a nonce: 128 random bits in hex at least.
const (
	minNonce = 32
	maxNonce = 128
)

// sessionSecret names the key that session tokens of boot tokens come from.
const sessionSecret = "session-derivation"

const startAgain = "start the machine again from the network"

// refuse records an attempt that somebody should look at.
func (o *opening) refuse(severity, key, detail, remedy string) error {
	o.recorded = true
	text := fmt.Sprintf("%s (from %s)", detail, o.remote)
	if err := o.alert(o.tx, key, severity, text, wire.StatusMessage{}); err != nil {
		return err
	}
	o.Log.Warn("session refused", "reason", detail, "remote", o.remote)
	return unauthorized(detail, remedy)
}

// byBootToken accepts a boot token once. The agent that used it may show it
// again with the same nonce, while the token lives: the answer got lost.
func (o *opening) byBootToken() (wire.Device, error) {
	var err error
	o.token, err = o.lookup(o.tx, kindBoot, o.request.BootToken)
	t, i := o.token, o.id.identity
	if err != nil {
		if t.Kind == kindBoot && !t.Revoked.IsZero() {
			return wire.Device{}, o.refuse("warning", "boot-token-superseded:"+t.MAC,
				"the boot token of "+t.MAC+" is void, because another boot script was handed out for this machine after it", startAgain)
		}
		return wire.Device{}, err
	}
	o.repeated = !t.Used.IsZero() && t.Nonce != "" && hmac.Equal([]byte(t.Nonce), []byte(o.nonceHash()))
	switch {
	case !t.Used.IsZero() && !o.repeated:
		return wire.Device{}, o.reused()
	case t.UUID != "" && i.UUID != "" && t.UUID != i.UUID && t.UUID != swapUUID(i.UUID):
		return wire.Device{}, o.refuse("critical", "boot-token-binding:"+t.MAC, "the boot token was made for a machine with another SMBIOS UUID", startAgain)
	case !slices.Contains(i.MACs, t.MAC) && !slices.Contains(clean(o.request.Identity).MACs, t.MAC):
		return wire.Device{}, o.refuse("critical", "boot-token-binding:"+t.MAC, "the boot token was made for MAC "+t.MAC+", which this machine does not have", startAgain)
	case t.Address != "" && t.Address != o.remote:
		return wire.Device{}, o.refuse("critical", "boot-token-binding:"+t.MAC, "the boot token was made for address "+t.Address, startAgain+"; the boot environment must keep its DHCP lease")
	}
	if !o.repeated {
		if err := o.useBootToken(); err != nil {
			return wire.Device{}, err
		}
	}
	// The MAC that was booted from comes first, whatever order the OS has.
	o.request.Identity.MACs = append([]string{t.MAC}, o.request.Identity.MACs...)
	if o.id, err = identify(o.tx, o.request.Identity); err != nil {
		return wire.Device{}, err
	}
	return o.deviceOrUnknown()
}

func (o *opening) reused() error {
	return o.refuse("critical", "boot-token-reuse:"+o.token.MAC, "the boot token of "+o.token.MAC+" was used a second time: somebody may have read it on the network", startAgain)
}

func (o *opening) useBootToken() error {
	first, err := o.tx.UseToken(o.token.Hash, o.Now())
	if err != nil || !first {
		return cmp.Or(err, error(unauthorized("the boot token was used already", startAgain)))
	}
	if o.request.Nonce == "" { // an agent of an older boot image
		return nil
	}
	o.token.Nonce = o.nonceHash()
	return o.tx.PutTokenDoc(o.token)
}

func (o *opening) nonceHash() string { return hashToken(o.request.Nonce) }

// session gives the token of the session t. With a boot token and a nonce it is
// worked out and not drawn, so that whoever asks again is given the same one,
// though only its hash is kept. locked says that the PXE password comes first
// (PXE-23): whoever starts from the network is asked, also in the middle of a run.
func (o *opening) session(t store.Token) (token string, locked bool, err error) {
	if o.token.Kind == kindBoot {
		p, err := pxePassword(o.tx)
		if err != nil {
			return "", false, err
		}
		t.Locked = len(p.Hash) > 0
	}
	if o.token.Kind != kindBoot || o.token.Nonce == "" {
		token, err = o.issue(o.tx, t, sessionTTL)
		return token, t.Locked, err
	}
	if token, err = o.derive(); err != nil {
		return "", false, err
	}
	if !o.repeated {
		return token, t.Locked, o.keep(o.tx, t, token, sessionTTL)
	}
	was, err := o.lookup(o.tx, kindSession, token)
	if err != nil {
		return "", false, err
	}
	if was.Subject != t.Subject { // the nonce is right, but the machine is another
		return "", false, o.reused()
	}
	return token, was.Locked, nil
}

func (o *opening) derive() (string, error) {
	fresh := make([]byte, sha256.Size)
	if _, err := io.ReadFull(o.Random, fresh); err != nil {
		return "", fmt.Errorf("make key: %w", err)
	}
	key, err := ensureSecret(o.tx, sessionSecret, fresh)
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s %s", o.token.Hash, o.request.Nonce)
	return tokenText(kindSession, h.Sum(nil)), nil
}

// tokenText is a token as people and secret scanners see it.
func tokenText(kind string, secret []byte) string {
	return "by" + kind[:1] + "_" + base64.RawURLEncoding.EncodeToString(secret)
}
