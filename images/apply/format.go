package apply

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Format is how an image is packed.
type Format string

// The file-level formats. FormatAuto looks at the first bytes.
const (
	FormatAuto     Format = ""
	FormatTar      Format = "tar"
	FormatTarZstd  Format = "tar.zst"
	FormatTarGzip  Format = "tar.gz"
	FormatSquashFS Format = "squashfs"
)

// ErrFormat says that a file is no image of a known format.
var ErrFormat = errors.New("not an image of a known format")

// DetectFormat looks at the beginning of an image file.
func DetectFormat(path string) (Format, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read image: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read image: %w", err)
	}
	return detect(head[:n], path)
}

func detect(head []byte, path string) (Format, error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return FormatTarZstd, nil
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return FormatTarGzip, nil
	case bytes.HasPrefix(head, []byte("hsqs")):
		return FormatSquashFS, nil
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return FormatTar, nil
	}
	return "", fmt.Errorf("%s: %w; bootyard applies tar, tar.gz, tar.zst and squashfs", path, ErrFormat)
}
