package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Spec describes a bootable medium.
type Spec struct {
	Out    string   // file to write; replaced only when the new image is complete (MED-11)
	Kernel string   // the boot image's kernel
	Initrd []string // the boot image's archives, in order
	Site   []byte   // archive with site data and the medium's settings; holds the medium's key
	Args   string   // kernel command line; printable ASCII
	Label  string   // volume name; default "bootyard" (MED-12)
	// Markers are files that the agent leaves on a disk while a run goes on
	// there: the loader starts such a disk instead of the medium (MED-25).
	Markers []string
	// MarkerWait is how long the loader offers to deploy all the same before
	// it starts a marked disk, in seconds; 0 means 5.
	MarkerWait int
}

// Tool is the program that puts the image together, from Debian's grub-common.
const Tool = "grub-mkrescue"

// limits of what a tool may print into an error
const maxToolOutput = 4 << 10

// Create writes the image. progress, if not nil, gets short lines.
func Create(ctx context.Context, s Spec, progress func(string)) error {
	if progress == nil {
		progress = func(string) {}
	}
	config, err := s.grubConfig()
	if err != nil {
		return err
	}
	if _, err := exec.LookPath(Tool); err != nil {
		return errors.New("grub-mkrescue is missing: install the Debian packages grub-common, grub-pc-bin, grub-efi-amd64-bin, xorriso and mtools")
	}
	work, err := os.MkdirTemp(filepath.Dir(s.Out), ".medium-*")
	if err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	defer os.RemoveAll(work)

	tree := filepath.Join(work, "tree")
	if err := s.fill(tree, config, progress); err != nil {
		return err
	}
	progress("writing the image")
	image := filepath.Join(work, "image.iso")
	if err := s.mkrescue(ctx, tree, image); err != nil {
		return err
	}
	if err := syncFile(image); err != nil {
		return err
	}
	if err := os.Chmod(image, 0o600); err != nil { // it carries the medium's key
		return fmt.Errorf("protect image: %w", err)
	}
	if err := os.Rename(image, s.Out); err != nil {
		return fmt.Errorf("put image in place: %w", err)
	}
	return syncFile(filepath.Dir(s.Out)) // the name lasts as well
}

func (s Spec) fill(tree string, config []byte, progress func(string)) error {
	for _, dir := range []string{"boot/grub", "bootyard"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			return fmt.Errorf("make work folder: %w", err)
		}
	}
	progress("copying the boot image")
	if err := copyFile(filepath.Join(tree, "bootyard/vmlinuz"), s.Kernel); err != nil {
		return err
	}
	for i, initrd := range s.Initrd {
		if err := copyFile(filepath.Join(tree, initrdName(i)), initrd); err != nil {
			return err
		}
	}
	for name, data := range map[string][]byte{
		siteArchive:          s.Site,
		"boot/grub/grub.cfg": config,
		"MediaLabel.txt":     []byte("label=" + s.label() + "\n"), // MED-12
	} {
		if err := os.WriteFile(filepath.Join(tree, name), data, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

const siteArchive = "bootyard/site.img"

func initrdName(i int) string { return fmt.Sprintf("bootyard/initrd%d.img", i) }

func (s Spec) mkrescue(ctx context.Context, tree, image string) error {
	// No themes, fonts and translations: the menu is text, and the image is
	// half as large.
	cmd := exec.CommandContext(ctx, Tool, "--output="+image, "--fonts=", "--locales=", "--themes=",
		"--compress=no", tree, "--", "-volid", volumeID(s.label()))
	out := &limited{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w: %s", Tool, err, strings.TrimSpace(out.String()))
	}
	return nil
}

func (s Spec) label() string {
	if s.Label == "" {
		return "bootyard"
	}
	return s.Label
}

var notVolume = regexp.MustCompile(`[^A-Z0-9_]+`)

// volumeID is the ISO 9660 form of a label: upper case, digits, underscore, at
// most 32 characters.
func volumeID(label string) string {
	id := notVolume.ReplaceAllString(strings.ToUpper(label), "_")
	return id[:min(len(id), 32)]
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("open boot image: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("copy boot image: %w", err)
	}
	_, err = io.Copy(out, in)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}

// syncFile makes a file's content last, or a folder's names.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("sync image: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync image: %w", err)
	}
	return nil
}

// limited keeps the last few kilobytes of what a tool prints.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	n, err := l.Buffer.Write(p)
	if over := l.Len() - maxToolOutput; over > 0 {
		l.Next(over)
	}
	return n, err
}
