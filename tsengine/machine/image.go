package machine

import (
	"context"
	"io"
)

// AnyDisk in a Target means the machine's only disk; with several, the choice is ErrAmbiguousDisk.
const AnyDisk = -1

// Target is where an image goes. Volume is set when the run knows the partition; else Disk and Partition (from 1) name one
// that was there before. Partition 0 is the whole disk, which only an image of a whole disk can be written to.
type Target struct {
	Volume    *Volume
	Disk      int // AnyDisk only with Partition 0
	Partition int
}

// ApplyRequest asks for one image on one volume. Dir is the verified folder of the package. An image that holds a whole
// disk replaces everything on the disk of the target.
type ApplyRequest struct {
	PackageID    string
	Dir          string
	Index        int // image in the file, from 1
	Target       Target
	Bootable     bool     // the operating system to start; later images are data
	Data         bool     // a data image: files only, nothing is made bootable
	Keep         bool     // leave what is on the volume (OSDWipeDestinationPartition false)
	Preserve     []string // folders of the volume that stay (TS-117): relative to it, or absolute on this machine
	UEFI         bool     // how the machine was started, so which loader it needs
	ComputerName string   // for the applied operating system; may be empty
	ConfigFile   string   // answer file, expanded; may be empty
	Volumes      []Volume // all volumes of the run, for fstab and the EFI partition
}

// Applied is what came of it. Volume is the target as it is now (UUIDs may be new after a block-level image).
type Applied struct {
	Volume      Volume
	Description string   // of the operating system, for status
	Volumes     []Volume // when the image brought its own partitions (a whole-disk image): the new table; else nil
}

// SetupRequest asks to prepare the applied operating system.
type SetupRequest struct {
	Target          Volume
	Volumes         []Volume
	ClientPackageID string
	ClientDir       string // of the client package; empty: the agent that runs is what is installed
	ComputerName    string
}

// ImageCapture makes an image of an installed operating system that does not run now.
type ImageCapture interface {
	// CaptureImage writes an image of the system to a file, which it replaces, or to a stream, and says what it did. A
	// failed capture leaves no file of that name.
	CaptureImage(ctx context.Context, request CaptureRequest, progress Progress) (Captured, error)
}

// CaptureRequest says what to capture.
type CaptureRequest struct {
	// Target is the volume with the system; nil is the only one of the machine that holds a system.
	Target      *Target
	File        string
	Stream      io.Writer // when set, instead of File; it gets the system's volume only
	Tar         bool      // a tar archive, packed by zstd; else a WIM
	Name        string
	Creator     string
	Description string // up to 255 characters
	Version     string // up to 32 characters
}

// Captured is what came of it.
type Captured struct {
	Bytes    int64 // of the file; 0 of a stream
	Unpacked int64 // of the files in it, about; 0 is unknown
	Images   int   // in the file: one for each volume
	Notes    []string
}

// ImageStore is the site's place for captured images.
type ImageStore interface {
	// Store makes a new OS image of the site of what write gives to a stream, and returns its package id. After an
	// interruption it may be repeated with the same StoredImage.Step; write is not called when the image came whole then.
	Store(ctx context.Context, image StoredImage, write func(io.Writer) (unpacked int64, err error)) (packageID string, err error)
}

// StoredImage says what the new OS image is.
type StoredImage struct {
	Step        string // the same whenever this step of the run is run, and no other's
	Name        string
	Tar         bool
	Author      string
	Description string
	Version     string
}
