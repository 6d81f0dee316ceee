package osimage

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Limits on what is read of an image that may come from anywhere.
const (
	maxEntries  = 20_000_000
	maxMetadata = 16 << 20 // of one small file that is read whole
	maxWindow   = 128 << 20
)

// blockSize is the allocation unit that the unpacked size is counted in.
const blockSize = 4096

// Metadata is what the files of an image say about it.
type Metadata struct {
	OSID      string    `json:"os_id"`      // ID of os-release, such as debian
	OSVersion string    `json:"os_version"` // VERSION_ID of os-release, may be empty
	OSName    string    `json:"os_name"`    // PRETTY_NAME of os-release
	Arch      string    `json:"arch"`       // in Debian's words (amd64, arm64); empty when unknown
	Kernels   []string  `json:"kernels"`    // releases of the kernels in /boot, sorted
	Unpacked  int64     `json:"unpacked"`   // bytes on a file system with 4 KiB blocks, without its own overhead
	Files     int       `json:"files"`      // number of files, folders and links
	HasAgent  bool      `json:"has_agent"`  // bootyard's agent is in the image
	BIOS      bool      `json:"bios"`       // can install its boot loader for BIOS
	UEFI      bool      `json:"uefi"`       // can install its boot loader for x64 UEFI
	Packages  []Package `json:"packages"`   // installed Debian packages, sorted; for information
}

// Package is an installed package.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// agentPaths are where the agent lives in an installed system.
var agentPaths = []string{"usr/bin/bootyard-agent", "usr/sbin/bootyard-agent", "usr/local/bin/bootyard-agent", "opt/bootyard/bootyard-agent"}

// Inspect reads a tar archive, plain or compressed by zstd, to its end.
func Inspect(ctx context.Context, name string) (Metadata, error) {
	f, err := os.Open(name)
	if err != nil {
		return Metadata{}, fmt.Errorf("inspect image: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	var r io.Reader = in
	if magic, err := in.Peek(4); err == nil && string(magic) == "\x28\xb5\x2f\xfd" {
		dec, err := zstd.NewReader(in, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return Metadata{}, fmt.Errorf("inspect image: %w", err)
		}
		defer dec.Close()
		r = dec
	}
	m, err := inspectTar(ctx, r)
	if err != nil {
		return Metadata{}, fmt.Errorf("inspect image %s: %w", name, err)
	}
	return m, nil
}

func inspectTar(ctx context.Context, r io.Reader) (Metadata, error) {
	var m Metadata
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m, fmt.Errorf("read archive: %w", err)
		}
		if ctx.Err() != nil {
			return m, ctx.Err()
		}
		if m.Files++; m.Files > maxEntries {
			return m, fmt.Errorf("more than %d files", maxEntries)
		}
		if err := m.entry(h, t); err != nil {
			return m, err
		}
	}
	// What follows the archive's end is padding; the writer may wait for it to be read.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return m, fmt.Errorf("read archive: %w", err)
	}
	slices.Sort(m.Kernels)
	if m.OSID == "" && len(m.Kernels) == 0 {
		return m, errors.New("no os-release and no kernel in it: this is not the root of a Linux system; the archive must hold /etc and /boot at its top")
	}
	return m, nil
}

// entry takes one file of the archive into account. Names are only compared,
// never used as paths.
func (m *Metadata) entry(h *tar.Header, body io.Reader) error {
	name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	switch h.Typeflag {
	case tar.TypeDir:
		m.Unpacked += blockSize
		return nil
	case tar.TypeReg:
		m.Unpacked += (h.Size + blockSize - 1) / blockSize * blockSize
	default:
		return nil
	}
	if release, ok := strings.CutPrefix(name, "boot/vmlinuz-"); ok && release != "" {
		m.Kernels = append(m.Kernels, release)
	}
	switch {
	case slices.Contains(agentPaths, name):
		m.HasAgent = true
	case name == "usr/lib/grub/i386-pc/boot.img":
		m.BIOS = true
	case strings.HasPrefix(name, "usr/lib/grub/x86_64-efi"):
		m.UEFI = true
	case name == "etc/os-release" || name == "usr/lib/os-release":
		data, err := readSmall(body)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		m.osRelease(data)
	case name == "var/lib/dpkg/status":
		data, err := readSmall(body)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		m.dpkgStatus(data)
	}
	return nil
}

func readSmall(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxMetadata+1))
	if err == nil && len(data) > maxMetadata {
		err = fmt.Errorf("larger than %d bytes", maxMetadata)
	}
	return string(data), err
}

// osRelease reads the file of os-release(5).
func (m *Metadata) osRelease(text string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			m.OSID = value
		case "VERSION_ID":
			m.OSVersion = value
		case "PRETTY_NAME":
			m.OSName = value
		}
	}
}

// dpkgStatus reads dpkg's list of installed packages; the architecture of dpkg
// itself is the system's.
func (m *Metadata) dpkgStatus(text string) {
	m.Packages = nil
	for stanza := range strings.SplitSeq(text, "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(stanza) {
			if key, value, ok := strings.Cut(line, ":"); ok && key != "" && key[0] != ' ' {
				fields[key] = strings.TrimSpace(value)
			}
		}
		if fields["Package"] == "" || !strings.HasSuffix(fields["Status"], " installed") {
			continue
		}
		m.Packages = append(m.Packages, Package{Name: fields["Package"], Version: fields["Version"]})
		if fields["Package"] == "dpkg" {
			m.Arch = fields["Architecture"]
		}
	}
	slices.SortFunc(m.Packages, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
}
