package apply

import (
	"errors"
	"fmt"

	"github.com/bootyard/bootyard/images/disk"
)

// ErrTooSmall says that an image does not fit on a volume.
var ErrTooSmall = errors.New("volume is too small for the image")

// Metadata is what is known of an image before it is opened. Zero means unknown.
type Metadata struct {
	Bytes int64 // of all files, uncompressed
	Files int64 // number of entries
}

// Check compares an image with the bytes of the volume it is meant for, before
// anything is written. Beside the content it counts half a block per file, which
// is what file systems lose to rounding on average.
func Check(image Metadata, volume string, available int64) error {
	need := image.need()
	if need <= available {
		return nil
	}
	return fmt.Errorf("%w: the image needs %s and %s has %s; nothing was written; use a larger disk or partition, or a smaller image",
		ErrTooSmall, disk.FormatSize(need), volume, disk.FormatSize(available))
}

func (m Metadata) need() int64 { return m.Bytes + m.Files*2048 }

// NoSpaceError says that a volume became full while an image was written. It is
// an ErrTooSmall.
type NoSpaceError struct {
	Volume    string
	Needed    int64 // bytes for the whole image; 0 when unknown
	Available int64 // bytes of the whole volume
	Entry     string
	Err       error
}

// Error says what was needed and what there is.
func (e *NoSpaceError) Error() string {
	need := "an unknown number of bytes"
	if e.Needed > 0 {
		need = disk.FormatSize(e.Needed)
	}
	return fmt.Sprintf("%v: %s is full at %s: the image needs %s and the volume holds %s; use a larger partition or a smaller image, the volume's content is not usable",
		ErrTooSmall, e.Volume, e.Entry, need, disk.FormatSize(e.Available))
}

// Unwrap gives the kernel's error and ErrTooSmall.
func (e *NoSpaceError) Unwrap() []error { return []error{ErrTooSmall, e.Err} }
