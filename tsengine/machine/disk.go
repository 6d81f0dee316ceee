package machine

// Style is the partition table of a disk.
type Style string

// The partition tables.
const (
	GPT Style = "GPT"
	MBR Style = "MBR"
)

// DiskRequest is one disk's new layout (Format and Partition Disk).
type DiskRequest struct {
	Disk       *int // 0 to 10000 (OSDDiskIndex); nil: the machine's only disk, else ErrAmbiguousDisk
	Style      Style
	Partitions []Partition // in index order
}

// PartitionType is the kind of a partition, in this spelling.
type PartitionType string

// The kinds of partition; the last two are bootyard's own.
const (
	Primary   PartitionType = "Primary"
	Extended  PartitionType = "Extended"
	Logical   PartitionType = "Logical"
	Hidden    PartitionType = "Hidden"
	EFI       PartitionType = "EFI"
	MSR       PartitionType = "MSR"
	Recovery  PartitionType = "Recovery"
	BIOSBoot  PartitionType = "BIOSBoot"
	LinuxRoot PartitionType = "LinuxRoot"
)

// Partition is one partition to make. Exactly one of Bytes, Percent and Rest is set.
type Partition struct {
	Type        PartitionType
	FileSystem  string // NTFS, FAT32, EXT4, XFS, BTRFS, SWAP; empty is not formatted
	Name        string // volume name
	Bootable    bool   // MBR: active
	QuickFormat bool
	Bytes       int64
	Percent     int  // 1 to 100 of the space still free when its turn comes
	Rest        bool // all that is left
}

// Volume is a partition as the run knows it, a row of the volume table.
type Volume struct {
	Letter     string        `json:"letter,omitempty"` // "C:", given by the engine; empty when it has none
	Disk       int           `json:"disk"`
	Partition  int           `json:"partition"` // from 1
	Type       PartitionType `json:"type,omitempty"`
	FileSystem string        `json:"fileSystem,omitempty"`
	Name       string        `json:"name,omitempty"`
	Device     string        `json:"device,omitempty"`   // as of now, such as /dev/vda2; may differ after a restart
	PartUUID   string        `json:"partUUID,omitempty"` // what finds the partition again
	UUID       string        `json:"uuid,omitempty"`     // of the file system
	Bytes      int64         `json:"bytes,omitempty"`
	HasOS      bool          `json:"hasOS,omitempty"`   // an operating system image was applied to it by this run
	HasData    bool          `json:"hasData,omitempty"` // a data image was
}
