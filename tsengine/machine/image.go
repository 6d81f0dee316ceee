package machine

// Target is where an image goes. Volume is set when the run made the partition itself; else Disk and Partition (from 1)
// name one that was there before.
type Target struct {
	Volume    *Volume
	Disk      int
	Partition int
}

// ApplyRequest asks for one image on one volume. Dir is the verified folder of the package.
type ApplyRequest struct {
	PackageID    string
	Dir          string
	Index        int // image in the file, from 1
	Target       Target
	Bootable     bool     // the operating system to start; later images are data
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
