package disk

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrNoVolume says that no volume has the wanted letter or place.
var ErrNoVolume = errors.New("no such volume")

// Volume is one partition that a run made or found.
type Volume struct {
	Disk       int        `json:"disk"`      // OSDDiskIndex
	Partition  int        `json:"partition"` // from 1, in the order of the layout
	Number     int        `json:"number"`    // number in the partition table
	Letter     string     `json:"letter,omitempty"`
	Device     string     `json:"device"` // valid since the last Apply or Rescan
	PARTUUID   string     `json:"partuuid"`
	UUID       string     `json:"uuid,omitempty"` // of the file system, as fstab writes it
	Type       Type       `json:"type"`
	FileSystem FileSystem `json:"fs,omitempty"`
	Label      string     `json:"label,omitempty"`
	Size       int64      `json:"size"` // bytes
	DiskPath   string     `json:"disk_path"`
	DiskModel  string     `json:"disk_model,omitempty"`
	DiskSerial string     `json:"disk_serial,omitempty"`
	MountPoint string     `json:"mount_point,omitempty"` // empty when not mounted
	Used       bool       `json:"used,omitempty"`        // an apply step has written it

	letterVariable string
	wantsLetter    bool
	front          int64 // bytes that a new NTFS takes; 0 is all (FormatFront)
}

// holdsFiles says whether the volume has a file system for files.
func (v Volume) holdsFiles() bool {
	return v.FileSystem != NoFileSystem && v.FileSystem != Swap
}

// wantsLetter decides which partitions get a drive letter. System partitions
// get one only when a variable asks for it, so that C: is the first volume for
// data also on a disk that begins with an EFI partition.
func (p Partition) wantsLetter() bool {
	if p.NoLetter || p.FileSystem == NoFileSystem || p.FileSystem == Swap {
		return false
	}
	switch p.Type {
	case EFI, Recovery, Hidden, MSR, BIOSBoot, Extended:
		return p.LetterVariable != ""
	}
	return true
}

// VolumeTable holds the volumes of a run under their drive letters. It goes to
// the checkpoint as JSON and survives restarts; Rescan finds the devices again.
// The zero value is empty. Not safe for concurrent use.
type VolumeTable struct {
	volumes []Volume
}

// MarshalJSON writes the volumes as a list.
func (t VolumeTable) MarshalJSON() ([]byte, error) {
	if t.volumes == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(t.volumes)
}

// UnmarshalJSON reads what MarshalJSON wrote. Letters that are no letters and
// doubled ones are refused: they would lead a step to the wrong volume.
func (t *VolumeTable) UnmarshalJSON(b []byte) error {
	var volumes []Volume
	if err := json.Unmarshal(b, &volumes); err != nil {
		return fmt.Errorf("read volume table: %w", err)
	}
	seen := map[string]bool{}
	for _, v := range volumes {
		if v.Letter == "" {
			continue
		}
		if l, ok := parseLetter(v.Letter); !ok || l != v.Letter || seen[l] {
			return fmt.Errorf("read volume table: drive letter %q is invalid or given twice", v.Letter)
		}
		seen[v.Letter] = true
	}
	t.volumes = volumes
	return nil
}

// Set puts the volumes that Apply made on the disk with the given number into
// the table, in place of what was known of that disk, and gives drive letters:
// the next free ones from C:, in partition order, without X: (the boot
// environment itself in the model). It returns the letters by the name of the
// variable that is to receive each.
func (t *VolumeTable) Set(index int, made []Volume) (map[string]string, error) {
	t.volumes = slices.DeleteFunc(t.volumes, func(v Volume) bool {
		return v.Disk == index || len(made) > 0 && v.DiskPath == made[0].DiskPath
	})
	used := map[string]bool{"X:": true}
	for _, v := range t.volumes {
		used[v.Letter] = true
	}
	variables := map[string]string{}
	for _, v := range made {
		v.Disk = index
		if v.wantsLetter {
			if v.Letter = nextLetter(used); v.Letter == "" {
				return nil, fmt.Errorf("partition %d: no drive letter is left; use fewer partitions or AssignVolumeLetter false", v.Partition)
			}
			used[v.Letter] = true
			if v.letterVariable != "" {
				variables[v.letterVariable] = v.Letter
			}
		}
		t.volumes = append(t.volumes, v)
	}
	return variables, nil
}

func nextLetter(used map[string]bool) string {
	for c := 'C'; c <= 'Z'; c++ {
		if l := string(c) + ":"; !used[l] {
			return l
		}
	}
	return ""
}

// Volumes returns a copy of the table in order of disks and partitions.
func (t *VolumeTable) Volumes() []Volume { return slices.Clone(t.volumes) }

// ByLetter finds a volume by its drive letter: "C:", "c:", "C" and "C:\" mean
// the same.
func (t *VolumeTable) ByLetter(letter string) (Volume, error) {
	l, ok := parseLetter(letter)
	if !ok {
		return Volume{}, fmt.Errorf("%w: %q is not a drive letter such as C:", ErrNoVolume, letter)
	}
	for _, v := range t.volumes {
		if v.Letter == l {
			return v, nil
		}
	}
	return Volume{}, fmt.Errorf("%w: no volume has the letter %s (known: %s); check the Format and Partition Disk step", ErrNoVolume, l, t.known())
}

// ByPartition finds a volume by disk number and partition, counted from 1.
func (t *VolumeTable) ByPartition(disk, partition int) (Volume, error) {
	for _, v := range t.volumes {
		if v.Disk == disk && v.Partition == partition {
			return v, nil
		}
	}
	return Volume{}, fmt.Errorf("%w: disk %d has no partition %d (known: %s); check the Format and Partition Disk step", ErrNoVolume, disk, partition, t.known())
}

// Find resolves a destination as variables hold it: "C:" or "disk,partition".
func (t *VolumeTable) Find(destination string) (Volume, error) {
	d, p, ok := strings.Cut(destination, ",")
	if !ok {
		return t.ByLetter(destination)
	}
	disk, err1 := strconv.Atoi(strings.TrimSpace(d))
	partition, err2 := strconv.Atoi(strings.TrimSpace(p))
	if err1 != nil || err2 != nil || disk < 0 || partition < 1 {
		return Volume{}, fmt.Errorf("%w: %q is neither a letter nor disk,partition", ErrNoVolume, destination)
	}
	return t.ByPartition(disk, partition)
}

// Next finds the next formatted partition that no apply step has used yet, the
// destination of a step that names none. System partitions are passed over.
func (t *VolumeTable) Next() (Volume, error) {
	for _, v := range t.volumes {
		system := v.Type == EFI || v.Type == Recovery || v.Type == Hidden
		if v.holdsFiles() && !system && !v.Used {
			return v, nil
		}
	}
	return Volume{}, fmt.Errorf("%w: no formatted partition is left (known: %s); add a Format and Partition Disk step or name a destination", ErrNoVolume, t.known())
}

// ESP finds the EFI system partition on the disk with the given number.
func (t *VolumeTable) ESP(disk int) (Volume, bool) {
	for _, v := range t.volumes {
		if v.Disk == disk && v.Type == EFI && v.FileSystem == FAT32 {
			return v, true
		}
	}
	return Volume{}, false
}

// Swaps returns the swap volumes of a disk.
func (t *VolumeTable) Swaps(disk int) []Volume {
	var out []Volume
	for _, v := range t.volumes {
		if v.Disk == disk && v.FileSystem == Swap {
			out = append(out, v)
		}
	}
	return out
}

// Update stores changed facts of a volume (mount point, use), found by PARTUUID.
func (t *VolumeTable) Update(v Volume) error {
	for i := range t.volumes {
		if t.volumes[i].PARTUUID == v.PARTUUID {
			t.volumes[i] = v
			return nil
		}
	}
	return fmt.Errorf("%w: partition identifier %s", ErrNoVolume, v.PARTUUID)
}

func (t *VolumeTable) known() string {
	if len(t.volumes) == 0 {
		return "none"
	}
	var names []string
	for _, v := range t.volumes {
		name := fmt.Sprintf("%d,%d", v.Disk, v.Partition)
		if v.Letter != "" {
			name += "=" + v.Letter
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func parseLetter(s string) (string, bool) {
	s = strings.ToUpper(strings.TrimRight(strings.TrimSpace(s), `\/`))
	s = strings.TrimSuffix(s, ":")
	if len(s) != 1 || s[0] < 'A' || s[0] > 'Z' {
		return "", false
	}
	return s + ":", true
}
