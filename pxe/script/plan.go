package script

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Kind says what a script does.
type Kind int

// Kinds of script.
const (
	Local   Kind = iota // boot the local disk
	Kernel              // boot Files with Args
	Menu                // show Items, boot the local disk when nobody presses a key (PXE-20)
	Message             // show Text, wait, ask again; give up for the local disk after a number of tries
)

// Plan is what a script is made of.
type Plan struct {
	Kind    Kind
	Text    string // why: shown on the screen
	Files   []File // kernel first, then initrds in order
	Args    string // kernel command line
	Items   []Item
	Timeout time.Duration // Menu; 0 means 10 s
	UEFI    bool          // the machine has UEFI: another way to the local disk
	Self    string        // absolute URL of this script, without choice and try
	Local   string        // iPXE under UEFI: URL of a loader that can boot the local disk; "" if there is none
	Try     int           // how often this machine failed already, as told in the URL
}

// File is a kernel or initrd.
type File struct{ Name, URL string }

// Item is a line of a menu. Title is any text.
type Item struct{ ID, Title string }

// MaxTries is how often a machine asks again before it boots its disk.
const MaxTries = 5

// ErrUnsafe is wrapped by every refusal to put something into a script.
var ErrUnsafe = errors.New("has characters that a boot loader would misread")

const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

const (
	nameChars = alnum + "._-"
	urlChars  = alnum + "._-/~%?=&:+,@[]"
	// Neither loader treats one of these specially when the argument stands in quotes (GRUB) or is a word (iPXE).
	argChars = alnum + "._-/~%?=:+,@[]*^!" + " "
)

func only(s, allowed string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(allowed, r) })
}

// check refuses what cannot be written safely.
func (p Plan) check() error {
	for i, f := range p.Files {
		if f.Name == "" || len(f.Name) > 64 || strings.Trim(f.Name, ".-") != f.Name || !only(f.Name, nameChars) {
			return fmt.Errorf("file name %q: %w", f.Name, ErrUnsafe)
		}
		if slices.ContainsFunc(p.Files[:i], func(o File) bool { return o.Name == f.Name }) {
			return fmt.Errorf("file name %q occurs twice", f.Name)
		}
		if err := checkURL(f.URL); err != nil {
			return fmt.Errorf("address of %s: %w", f.Name, err)
		}
	}
	if p.Kind == Kernel && len(p.Files) == 0 {
		return errors.New("no kernel to boot")
	}
	if !only(p.Args, argChars) {
		return fmt.Errorf("kernel command line: %w", ErrUnsafe) // never quoted: it carries secrets
	}
	if len(p.Args) > 2000 {
		return errors.New("kernel command line is longer than 2000 characters")
	}
	if p.Kind == Menu && (len(p.Items) == 0 || len(p.Items) > 100) {
		return fmt.Errorf("menu of %d entries, 1 to 100 can be shown", len(p.Items))
	}
	for _, it := range p.Items {
		if it.ID == "" || len(it.ID) > 64 || !only(it.ID, nameChars) {
			return fmt.Errorf("menu entry %q: %w", it.ID, ErrUnsafe)
		}
	}
	for _, u := range []string{p.Self, p.Local} {
		if u == "" {
			continue
		}
		if err := checkURL(u); err != nil {
			return err
		}
	}
	return nil
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("not an absolute http URL")
	}
	if !only(s, urlChars) || len(s) > 1024 {
		return fmt.Errorf("URL %w", ErrUnsafe)
	}
	return nil
}

// show makes text harmless: printable ASCII without the characters by which loaders expand, quote or separate.
func show(s string) string {
	const limit = 200
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= limit {
			b.WriteString("...")
			break
		}
		switch {
		case r >= ' ' && r < 0x7f && !strings.ContainsRune("$\\'\"`#;&|<>{}", r):
			b.WriteRune(r)
		case r == '"' || r == '\'' || r == '`':
		default:
			b.WriteByte('?')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (p Plan) timeout() time.Duration {
	if p.Timeout <= 0 {
		return 10 * time.Second
	}
	return min(p.Timeout, time.Hour)
}

// pause before try n: 5, 10, 20, 40 s, so that a room of machines does not hammer an appliance that restarts.
func pause(try int) int { return 5 << min(max(try, 0), 3) }
