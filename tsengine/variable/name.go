package variable

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of TS-80 and TS-81.
const (
	MaxName  = 256      // characters of a name
	MaxValue = 4000     // characters of a value set by a user or script before a warning is due
	MaxTotal = 32 << 20 // bytes of all names and values
)

// Errors that callers tell apart.
var (
	ErrName     = errors.New("not a variable name")
	ErrReadOnly = errors.New("read-only")
	ErrTooLarge = errors.New("the variables together exceed 32 MB (TS-81)")
)

// CheckName says whether name is a legal variable name (TS-80). Blanks at the ends are ignored.
func CheckName(name string) error {
	name = strings.Trim(name, " ")
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("%q: %w: 1 to %d characters are allowed (TS-80)", shorten(name), ErrName, MaxName)
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return fmt.Errorf("%q: %w: only letters, digits, _ and - are allowed (TS-80)", name, ErrName)
		}
	}
	return nil
}

// CheckUserName is CheckName for names a user, rule or script sets: they start with a letter (TS-80), and those that
// begin with _ are read-only (TS-88).
func CheckUserName(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	name = strings.Trim(name, " ")
	switch c := name[0]; {
	case c == '_':
		return fmt.Errorf("%s: %w: names that begin with _ are set by the engine only (TS-88)", name, ErrReadOnly)
	case !letter(c):
		return fmt.Errorf("%q: %w: it must start with a letter (TS-80)", name, ErrName)
	}
	return nil
}

// IsSecretName says whether a variable of this name is always secret (TS-93).
func IsSecretName(name string) bool {
	n := strings.ToLower(name)
	switch n {
	case "osdbitlockerpin", "osdproductkey", "osdupgradeosproductkey", "osdbitlockerstartupkey", "hiddenvariablevalue":
		return true
	case "osdrandomadminpassword", "osdbitlockercreaterecoverypassword": // a switch and an enumeration
		return false
	}
	return strings.Contains(n, "password")
}

func nameByte(c byte) bool { return letter(c) || c >= '0' && c <= '9' || c == '_' || c == '-' }
func letter(c byte) bool   { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

func key(name string) string { return strings.ToLower(strings.Trim(name, " ")) }
