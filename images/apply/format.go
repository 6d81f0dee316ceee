package apply

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/bootyard/bootyard/images/internal/qcow2"
	"github.com/bootyard/bootyard/images/internal/wim"
)

// Format is how an image is packed.
type Format string

// The formats. FormatAuto looks at the content. Tar, squashfs and WIM are
// file-level; raw and qcow2 are block-level: a whole disk, or one file system.
const (
	FormatAuto     Format = ""
	FormatTar      Format = "tar"
	FormatTarZstd  Format = "tar.zst"
	FormatTarGzip  Format = "tar.gz"
	FormatTarXz    Format = "tar.xz"
	FormatSquashFS Format = "squashfs"
	FormatWIM      Format = "wim"
	FormatRaw      Format = "raw"
	FormatRawZstd  Format = "raw.zst"
	FormatRawGzip  Format = "raw.gz"
	FormatRawXz    Format = "raw.xz"
	FormatQCOW2    Format = "qcow2"
)

// Blocks says whether the format holds blocks of a disk and not files.
func (f Format) Blocks() bool {
	return f == FormatQCOW2 || strings.HasPrefix(string(f), string(FormatRaw))
}

// ErrFormat says that a file is no image of a known format.
var ErrFormat = errors.New("not an image of a known format")

// headSize is what content is recognised by: btrfs has its mark at 64 KiB.
const headSize = 128 << 10

// DetectFormat looks at the beginning of an image file, and through its packing.
func DetectFormat(path string) (Format, error) {
	format, _, err := look(path)
	return format, err
}

// HoldsDisk says whether a block-level image is that of a whole disk, with a
// partition table, and not of one file system.
func HoldsDisk(path string) (bool, error) {
	format, head, err := look(path)
	if err != nil {
		return false, err
	}
	if format == FormatQCOW2 {
		if head, err = qcow2Head(path); err != nil {
			return false, err
		}
	}
	return format.Blocks() && fileSystemIn(head) == "" && hasTable(head), nil
}

// look returns the format and the beginning of the unpacked content.
func look(path string) (Format, []byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", nil, fmt.Errorf("read image: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	head, err := readHead(f)
	if err != nil {
		return "", nil, fmt.Errorf("read image: %w", err)
	}
	packing := packingOf(head)
	if packing != "" {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return "", nil, fmt.Errorf("read image: %w", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		r, closeReader, err := unpackStream(ctx, bufio.NewReader(f), packing)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", path, err)
		}
		head, err = readHead(r)
		closeReader()
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	format := contentOf(head)
	if packing != "" && format != FormatTar && format != FormatRaw {
		format = ""
	}
	if format == "" {
		return "", nil, fmt.Errorf("%s: %w; bootyard applies tar and raw (also .zst, .gz, .xz), squashfs, WIM and qcow2", path, ErrFormat)
	}
	return format + Format(packing), head, nil
}

func readHead(r io.Reader) ([]byte, error) {
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	return head[:n], err
}

// packingOf recognises compressed streams; the answer is the end of the format's name.
func packingOf(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return ".zst"
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return ".gz"
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return ".xz"
	}
	return ""
}

func contentOf(head []byte) Format {
	switch {
	case bytes.HasPrefix(head, []byte("hsqs")):
		return FormatSquashFS
	case bytes.HasPrefix(head, []byte(wim.Magic)), bytes.HasPrefix(head, []byte(wim.MagicPipable)):
		return FormatWIM
	case bytes.HasPrefix(head, []byte(qcow2.Magic)):
		return FormatQCOW2
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return FormatTar
	case hasTable(head), fileSystemIn(head) != "":
		return FormatRaw
	}
	return ""
}

// hasTable finds a partition table: GPT's header behind the first sector of 512
// or 4096 bytes (UEFI 2.10, 5.3.2), or an MBR with a partition in it.
func hasTable(head []byte) bool {
	for _, sector := range []int{512, 4096} {
		if len(head) >= sector+8 && string(head[sector:sector+8]) == "EFI PART" {
			return true
		}
	}
	if len(head) < 512 || head[510] != 0x55 || head[511] != 0xaa {
		return false
	}
	used := 0
	for at := 446; at < 510; at += 16 {
		entry := head[at : at+16]
		if entry[0] != 0 && entry[0] != 0x80 {
			return false // a boot sector of FAT or NTFS has code here
		}
		if entry[4] != 0 && binary.LittleEndian.Uint32(entry[12:]) > 0 {
			used++
		}
	}
	return used > 0
}

// fileSystemIn names the file system that begins here: one that bootyard mounts.
func fileSystemIn(head []byte) string {
	is := func(at int, mark string) bool {
		return len(head) >= at+len(mark) && string(head[at:at+len(mark)]) == mark
	}
	switch {
	case is(0x438, "\x53\xef"):
		return "ext4"
	case is(0, "XFSB"):
		return "xfs"
	case is(0x10040, "_BHRfS_M"):
		return "btrfs"
	case is(3, "NTFS    "):
		return "ntfs"
	case is(82, "FAT32   "):
		return "vfat"
	}
	return ""
}

func qcow2Head(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	i, err := qcow2.Open(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer i.Close()
	var head []byte
	buf := make([]byte, i.ClusterSize())
	for n := int64(0); len(head) < headSize && n*i.ClusterSize() < i.Size(); n++ {
		zero, err := i.Cluster(n, buf)
		if err != nil {
			return nil, err
		}
		if zero {
			head = append(head, make([]byte, len(buf))...)
		} else {
			head = append(head, buf...)
		}
	}
	return head, nil
}
