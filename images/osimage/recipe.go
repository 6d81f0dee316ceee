package osimage

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
)

//go:embed all:rootfs
var rootfs embed.FS

//go:embed packages.list
var packageList string

//go:embed excludes.list
var excludeList string

// buildVersion is part of every key: raise it when the same inputs are turned
// into another image.
const buildVersion = 1

var releaseName = regexp.MustCompile(`^[a-z]{2,32}$`)

// kernelText keeps kernel arguments from being anything else to the shell that
// reads /etc/default/grub.
var kernelText = regexp.MustCompile(`^[A-Za-z0-9._=,:/ -]{0,512}$`)

// recipe is all that decides what the image will be, but for package versions.
type recipe struct {
	release  string
	sources  []string // lines of sources.list
	packages []string
	excludes []string // dpkg options
	overlay  []byte   // tar archive of our own files
	level    int
	key      string
}

func (c Config) recipe() (recipe, error) {
	r := recipe{release: c.Release, level: c.CompressionLevel, packages: words(packageList)}
	if r.release == "" {
		r.release = "bookworm"
	}
	if !releaseName.MatchString(r.release) {
		return r, fmt.Errorf("%q is not the code name of a Debian release", c.Release)
	}
	if r.level == 0 {
		r.level = 12
	}
	if r.level < 1 || r.level > 19 {
		return r, fmt.Errorf("compression level %d: want 1 to 19", r.level)
	}
	if err := r.findSources(c.Mirror); err != nil {
		return r, err
	}
	for _, p := range words(excludeList) {
		if keep, ok := strings.CutPrefix(p, "+"); ok {
			r.excludes = append(r.excludes, "path-include="+keep)
		} else {
			r.excludes = append(r.excludes, "path-exclude="+p)
		}
	}
	var err error
	if r.overlay, err = overlay(c.Autologin, c.KernelArgs); err != nil {
		return r, err
	}
	h := sha256.New()
	for _, part := range []string{
		strconv.Itoa(buildVersion), r.release, strings.Join(r.sources, "\n"), packageList, excludeList, string(r.overlay), customize, strconv.Itoa(r.level),
	} {
		fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	r.key = hex.EncodeToString(h.Sum(nil))
	return r, nil
}

func (r *recipe) findSources(mirror string) error {
	var found []source
	if mirror != "" {
		found = []source{{uri: mirror, suite: r.release, components: []string{"main"}}}
		if !wanted(found[0], r.release) {
			return fmt.Errorf("mirror %q: want an http or https URL", mirror)
		}
	} else {
		var err error
		if found, err = hostSources("/etc/apt", r.release); err != nil {
			return err
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("this machine has no apt source for Debian %s: set the mirror's URL", r.release)
	}
	for _, s := range found {
		r.sources = append(r.sources, s.String())
	}
	return nil
}

// words are the first words of all lines that are no comment.
func words(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// overlay packs our own files as a tar archive, owned by root, always the same
// bytes.
func overlay(autologin bool, kernelArgs string) ([]byte, error) {
	if !kernelText.MatchString(kernelArgs) {
		return nil, fmt.Errorf("kernel arguments %q: letters, digits and ._=,:/- only", kernelArgs)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(name, data string) error {
		mode := int64(0o644)
		if strings.HasPrefix(data, "#!") {
			mode = 0o755
		}
		err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = io.WriteString(w, data)
		}
		return err
	}
	err := fs.WalkDir(rootfs, "rootfs", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Dir(name) == "rootfs" {
			return err
		}
		data, err := rootfs.ReadFile(name)
		text := string(data)
		if name == "rootfs/etc/default/grub" && kernelArgs != "" {
			text += "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX " + kernelArgs + "\"\n"
		}
		return errors.Join(err, add(strings.TrimPrefix(name, "rootfs/"), text))
	})
	if err == nil && autologin {
		var data []byte
		if data, err = rootfs.ReadFile("rootfs/autologin.conf"); err == nil {
			err = add("etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf", string(data))
		}
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("pack own files: %w", err)
	}
	return buf.Bytes(), nil
}

// customize is run by a shell when all packages are installed; $1 is the root
// of the new system. It ends with what makes the image know no machine
// (TS-118b), and with the time stamps that keep the first boot from compiling
// the hardware database again (systemd.unit(5), ConditionNeedsUpdate).
const customize = `set -e
chroot "$1" systemctl enable -q systemd-networkd systemd-resolved ssh serial-getty@ttyS0 bootyard-hostkeys bootyard-up
chroot "$1" systemctl mask -q systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
	e2scrub_all.timer e2scrub_reap.service systemd-pstore.service
chroot "$1" passwd -q -l root
ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
echo debian >"$1/etc/hostname"
printf '127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$1/etc/hosts"
: >"$1/etc/machine-id"
rm -f "$1"/etc/ssh/ssh_host_* "$1/var/lib/dbus/machine-id" "$1/etc/fstab" "$1"/etc/.resolv.conf.systemd-resolved.bak
rm -rf "$1"/var/log/* "$1"/var/cache/debconf/*-old
mkdir -p "$1/var/log/journal"
touch "$1/etc/.updated" "$1/var/.updated"
`

// sourcesFile writes the recipe's apt sources.
func (r recipe) sourcesFile(name string) error {
	if err := os.WriteFile(name, []byte(strings.Join(r.sources, "\n")+"\n"), 0o644); err != nil {
		return fmt.Errorf("write apt sources: %w", err)
	}
	return nil
}
