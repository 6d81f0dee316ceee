package content

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrSignature is wrapped by Verify when no key accepts the signature.
var ErrSignature = errors.New("manifest signature is not valid")

// signatureContext keeps a signature made for a manifest from being taken for one made for anything else with that key.
const signatureContext = "bootyard content manifest 1\n"

// Signed is a manifest as it travels and rests: the exact bytes that were signed, so that no encoder on the way can change
// them.
type Signed struct {
	// Payload is the manifest in JSON.
	Payload []byte `json:"payload"`
	// Signature is Ed25519 (RFC 8032) over a fixed context line and the payload.
	Signature []byte `json:"signature"`
	// KeyID names the key, see [KeyID].
	KeyID string `json:"keyId"`
}

// KeyID is a short name for a public key: the first 16 digits of its SHA-256.
func KeyID(key ed25519.PublicKey) string { return HashOf(key).String()[:16] }

// Sign validates m and signs it. The signer must hold an Ed25519 key (an ed25519.PrivateKey will do).
func Sign(m Manifest, signer crypto.Signer) (Signed, error) {
	if err := m.Validate(); err != nil {
		return Signed{}, err
	}
	public, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return Signed{}, fmt.Errorf("sign manifest of %s: signer has a %T, want an Ed25519 key", m.PackageID, signer.Public())
	}
	payload, err := json.Marshal(m)
	if err != nil {
		return Signed{}, fmt.Errorf("encode manifest of %s: %w", m.PackageID, err)
	}
	if len(payload) > MaxManifest {
		return Signed{}, fmt.Errorf("manifest of %s has %d bytes, at most %d are allowed: pack its files into archives or split the package",
			m.PackageID, len(payload), MaxManifest)
	}
	signature, err := signer.Sign(rand.Reader, signedBytes(payload), crypto.Hash(0))
	if err != nil {
		return Signed{}, fmt.Errorf("sign manifest of %s: %w", m.PackageID, err)
	}
	return Signed{Payload: payload, Signature: signature, KeyID: KeyID(public)}, nil
}

// Verify checks the signature against the trusted keys and only then reads the manifest. More than one key is for the time
// in which a key is replaced.
func Verify(s Signed, trusted ...ed25519.PublicKey) (Manifest, error) {
	if len(s.Payload) > MaxManifest {
		return Manifest{}, fmt.Errorf("manifest of %d bytes, at most %d are allowed", len(s.Payload), MaxManifest)
	}
	for _, key := range trusted {
		if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, signedBytes(s.Payload), s.Signature) {
			return ParseManifest(s.Payload)
		}
	}
	return Manifest{}, fmt.Errorf("%w: key %.16q is none of the %d trusted ones, or the manifest was altered", ErrSignature, s.KeyID, len(trusted))
}

func signedBytes(payload []byte) []byte {
	return append([]byte(signatureContext), payload...)
}
