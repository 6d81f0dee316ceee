package content

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// HashName is the length of a Hash written as text: 64 lower-case hexadecimal digits.
const HashName = 2 * sha256.Size

// Hash is a SHA-256. As text and in JSON it is 64 lower-case hexadecimal digits, and that text is also the name under which
// the file is stored and served.
type Hash [sha256.Size]byte

// ParseHash reads the text form. Anything but 64 lower-case hexadecimal digits is an error, so that one file has one name.
func ParseHash(text string) (Hash, error) {
	var h Hash
	if len(text) != HashName {
		return Hash{}, fmt.Errorf("sha-256 must be %d hexadecimal digits, got %d characters", HashName, len(text))
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Hash{}, fmt.Errorf("sha-256 has the character %q, only 0-9 and a-f are allowed", c)
		}
	}
	if _, err := hex.Decode(h[:], []byte(text)); err != nil {
		return Hash{}, fmt.Errorf("sha-256: %w", err)
	}
	return h, nil
}

// HashOf returns the SHA-256 of data.
func HashOf(data []byte) Hash { return sha256.Sum256(data) }

// String returns the text form.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the text form (encoding.TextMarshaler).
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the text form (encoding.TextUnmarshaler).
func (h *Hash) UnmarshalText(text []byte) error {
	parsed, err := ParseHash(string(text))
	if err != nil {
		return err
	}
	*h = parsed
	return nil
}
