package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// System are settings of an applied Linux system. Empty ones leave alone what is there.
type System struct {
	HostName        string
	Zone            string // IANA name, checked by the caller
	Language        string // LANG, such as de_DE.UTF-8
	Formats         string // of dates, numbers, money, paper; empty is Language
	KeyboardLayout  string // XKB
	KeyboardVariant string
	Root            RootAccount
	RootPassword    string // for RootPassword; only its hash is written
}

// RootAccount is what becomes of the password of root.
type RootAccount int

// The choices.
const (
	RootKept     RootAccount = iota
	RootLocked               // no password opens it; keys still do
	RootPassword             // the given one
)

// SetSystem writes settings in the way of the distribution. The notes say what was done. Repeating it is safe.
func SetSystem(ctx context.Context, t Target, s System) (notes []string, err error) {
	root, err := os.OpenRoot(t.Dir)
	if err != nil {
		return nil, fmt.Errorf("system settings: %w", err)
	}
	defer func() { _ = root.Close() }() // a folder, each file was synced
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	for _, part := range []func() error{
		func() error { return setName(root, s.HostName, note) },
		func() error { return setZone(root, s.Zone, note) },
		func() error { return setLanguage(ctx, root, t, s, note) },
		func() error { return setKeyboard(root, s.KeyboardLayout, s.KeyboardVariant, note) },
		func() error { return setRoot(root, s, note) },
	} {
		if err := part(); err != nil {
			return notes, fmt.Errorf("system settings: %w", err)
		}
	}
	return notes, syncVolume(t.Dir)
}

func setName(root *os.Root, name string, note func(string, ...any)) error {
	if name == "" {
		return nil
	}
	if err := checkHostName(name); err != nil {
		return err
	}
	note("Host name: %s", name)
	return setHostName(root, name)
}

func setZone(root *os.Root, zone string, note func(string, ...any)) error {
	if zone == "" {
		return nil
	}
	file := "usr/share/zoneinfo/" + zone
	if info, err := root.Stat(file); err != nil || info.IsDir() {
		return fmt.Errorf("the image does not know the time zone %s; install tzdata in it", zone)
	}
	if err := symlink(root, "../"+file, "etc/localtime"); err != nil {
		return err
	}
	if exists(root, "etc/debian_version") || exists(root, "etc/timezone") {
		if err := writeFile(root, "etc/timezone", []byte(zone+"\n"), 0o644); err != nil {
			return err
		}
	}
	note("Time zone: %s", zone)
	return nil
}

// setLanguage writes LANG and makes the locale if the image has it not.
func setLanguage(ctx context.Context, root *os.Root, t Target, s System, note func(string, ...any)) error {
	if s.Language == "" && s.Formats == "" {
		return nil
	}
	lines := ""
	var wanted []string
	if s.Language != "" {
		lines, wanted = "LANG="+s.Language+"\n", append(wanted, s.Language)
	}
	if s.Formats != "" && s.Formats != s.Language {
		for _, name := range []string{"LC_NUMERIC", "LC_TIME", "LC_MONETARY", "LC_PAPER", "LC_MEASUREMENT"} {
			lines += name + "=" + s.Formats + "\n"
		}
		wanted = append(wanted, s.Formats)
	}
	if err := haveLocales(ctx, root, t, wanted, note); err != nil {
		return err
	}
	name := "etc/locale.conf"
	if exists(root, "etc/debian_version") && !isLink(root, "etc/default/locale") {
		name = "etc/default/locale"
	}
	note("Language: %s", strings.Join(strings.Fields(lines), " "))
	return writeFile(root, name, []byte(lines), 0o644)
}

func haveLocales(ctx context.Context, root *os.Root, t Target, wanted []string, note func(string, ...any)) error {
	var missing []string
	for _, l := range wanted {
		if !hasLocale(root, l) {
			missing = append(missing, l)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	tool := ""
	for _, name := range []string{"usr/sbin/locale-gen", "sbin/locale-gen", "usr/bin/locale-gen"} {
		if exists(root, name) {
			tool = "/" + name
			break
		}
	}
	if tool == "" {
		return fmt.Errorf("the image has no locale %s and no locale-gen to make it; install its language (Debian: locales, Fedora: glibc-langpack-*) in the image", strings.Join(missing, ", "))
	}
	old, _ := readFile(root, "etc/locale.gen", 1<<20)
	if err := writeFile(root, "etc/locale.gen", []byte(localeGen(string(old), missing)), 0o644); err != nil {
		return err
	}
	note("Making locale %s with the image's locale-gen", strings.Join(missing, ", "))
	return inChroot(ctx, t, func(c *chroot) error {
		_, err := c.run(ctx, tool)
		return err
	})
}

// hasLocale: C and POSIX are built in; others are folders, or in the archive, of which nothing tells without reading it.
func hasLocale(root *os.Root, name string) bool {
	if strings.HasPrefix(name, "C.") || name == "C" || name == "POSIX" {
		return true
	}
	lang, modifier, _ := strings.Cut(name, "@")
	base, _, _ := strings.Cut(lang, ".")
	for _, spelling := range []string{base + ".utf8", base + ".UTF-8"} {
		if modifier != "" {
			spelling += "@" + modifier
		}
		if exists(root, "usr/lib/locale/"+spelling) {
			return true
		}
	}
	return false
}

// localeGen switches lines of /etc/locale.gen on, or adds them.
func localeGen(old string, names []string) string {
	var b strings.Builder
	done := map[string]bool{}
	for line := range strings.Lines(old) {
		line = strings.TrimRight(line, "\r\n")
		bare := strings.TrimSpace(strings.TrimLeft(line, "# \t"))
		for _, n := range names {
			if first, _, _ := strings.Cut(bare, " "); first == n && !done[n] {
				line, done[n] = bare, true
			}
		}
		b.WriteString(line + "\n")
	}
	for _, n := range names {
		if !done[n] {
			b.WriteString(n + " UTF-8\n")
		}
	}
	return b.String()
}

// consoleKeymaps are the names of the console for layouts of XKB that are called otherwise there (kbd).
func consoleKeymap(layout, variant string) string {
	switch layout {
	case "gb":
		return "uk"
	case "latam":
		return "la-latin1"
	case "se":
		return "sv-latin1"
	case "br":
		return "br-abnt2"
	case "pt":
		return "pt-latin1"
	case "jp":
		return "jp106"
	case "be":
		return "be-latin1"
	case "ca":
		return "cf"
	case "at":
		return "de"
	case "ch":
		if variant == "fr" {
			return "fr_CH"
		}
		return "sg"
	}
	return layout
}

func setKeyboard(root *os.Root, layout, variant string, note func(string, ...any)) error {
	if layout == "" {
		return nil
	}
	note("Keyboard: %s", strings.TrimSpace(layout+" "+variant))
	if exists(root, "etc/debian_version") || exists(root, "etc/default/keyboard") {
		text := "XKBMODEL=\"pc105\"\nXKBLAYOUT=\"" + layout + "\"\nXKBVARIANT=\"" + variant + "\"\nXKBOPTIONS=\"\"\nBACKSPACE=\"guess\"\n"
		return writeFile(root, "etc/default/keyboard", []byte(text), 0o644)
	}
	old, _ := readFile(root, "etc/vconsole.conf", 1<<16)
	text := setLines(string(old), [][2]string{{"KEYMAP", consoleKeymap(layout, variant)}, {"XKBLAYOUT", layout}, {"XKBVARIANT", variant}})
	return writeFile(root, "etc/vconsole.conf", []byte(text), 0o644)
}

// setLines replaces NAME=VALUE lines of a file and keeps the rest; an empty value takes the line away.
func setLines(old string, values [][2]string) string {
	var b strings.Builder
	for line := range strings.Lines(old) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		ours := false
		for _, v := range values {
			ours = ours || v[0] == name
		}
		if !ours {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	for _, v := range values {
		if v[1] != "" {
			b.WriteString(v[0] + "=" + v[1] + "\n")
		}
	}
	return b.String()
}

// setRoot writes the hash of root's password into the image's shadow file.
func setRoot(root *os.Root, s System, note func(string, ...any)) error {
	field := ""
	switch s.Root {
	case RootKept:
		return nil
	case RootLocked:
		field = "!*"
		note("The password of root is locked")
	case RootPassword:
		if s.RootPassword == "" {
			return errors.New("the password for root is empty")
		}
		field = hashPassword(s.RootPassword)
		note("root has the given password")
	}
	info, err := root.Stat("etc/shadow")
	if err != nil {
		return fmt.Errorf("the image has no shadow file for root's password: %w", err)
	}
	old, err := readFile(root, "etc/shadow", 4<<20)
	if err != nil {
		return err
	}
	text, err := shadow(string(old), field, time.Now())
	if err != nil {
		return err
	}
	group := 0
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		group = int(st.Gid) // Debian's is readable for the group shadow
	}
	if err := writeFile(root, "etc/shadow", []byte(text), info.Mode().Perm()); err != nil {
		return err
	}
	return root.Chown("etc/shadow", 0, group)
}

// shadow gives root another password field and today as the day of its change (shadow(5)).
func shadow(old, field string, now time.Time) (string, error) {
	var b strings.Builder
	found := false
	for line := range strings.Lines(old) {
		parts := strings.Split(strings.TrimRight(line, "\n"), ":")
		if parts[0] == "root" && len(parts) >= 3 {
			parts[1], parts[2], found = field, strconv.FormatInt(now.Unix()/86400, 10), true
		}
		b.WriteString(strings.Join(parts, ":") + "\n")
	}
	if !found {
		return "", errors.New("the image's shadow file has no line for root")
	}
	return b.String(), nil
}

func exists(root *os.Root, name string) bool { _, err := root.Stat(name); return err == nil }

// isLink says whether a name is a link, as Debian 13's /etc/default/locale is one to /etc/locale.conf.
func isLink(root *os.Root, name string) bool {
	info, err := root.Lstat(name)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// removeAll deletes the files of a pattern.
func removeAll(root *os.Root, pattern string) error {
	for _, name := range glob(root, pattern) {
		if err := remove(root, name); err != nil {
			return fmt.Errorf("remove %s: %w", path.Base(name), err)
		}
	}
	return nil
}
