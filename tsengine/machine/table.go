package machine

import (
	"fmt"
	"strconv"
	"strings"
)

// Table is the volume table of a run. The zero value is empty. It is not safe for concurrent use.
type Table struct {
	Volumes []Volume `json:"volumes,omitempty"`

	folders []NetworkFolder // a restart ends them, so no checkpoint has them
}

// Replace forgets the volumes of a disk and adds new ones.
func (t *Table) Replace(disk int, volumes []Volume) {
	kept := t.Volumes[:0:0]
	for _, v := range t.Volumes {
		if v.Disk != disk {
			kept = append(kept, v)
		}
	}
	t.Volumes = append(kept, volumes...)
}

// FreeLetter returns the next drive letter that is not in use, from C:; X: is the boot environment's own. It is empty
// when all are taken.
func (t *Table) FreeLetter() string {
	for c := 'C'; c <= 'Z'; c++ {
		letter := string(c) + ":"
		if c != 'X' && t.ByLetter(letter) == nil && t.Folder(letter) == nil {
			return letter
		}
	}
	return ""
}

// ByLetter finds a volume by "C:", "c" or "C:\"; nil when there is none.
func (t *Table) ByLetter(letter string) *Volume {
	letter = strings.ToUpper(strings.TrimRight(strings.TrimSpace(letter), `:\/`))
	if len(letter) != 1 {
		return nil
	}
	for i := range t.Volumes {
		if t.Volumes[i].Letter == letter+":" {
			return &t.Volumes[i]
		}
	}
	return nil
}

// ByNumber finds a volume by disk and partition; nil when there is none.
func (t *Table) ByNumber(disk, partition int) *Volume {
	for i := range t.Volumes {
		if t.Volumes[i].Disk == disk && t.Volumes[i].Partition == partition {
			return &t.Volumes[i]
		}
	}
	return nil
}

// NextFree is the next formatted partition that no image was applied to: the target of an image step that names none.
// Partitions that hold no operating system by their kind (EFI, MSR, Recovery, swap) are passed over.
func (t *Table) NextFree() *Volume {
	for i := range t.Volumes {
		v := &t.Volumes[i]
		switch v.Type {
		case EFI, MSR, Recovery, BIOSBoot, Extended:
			continue
		}
		if v.FileSystem != "" && !strings.EqualFold(v.FileSystem, "SWAP") && !v.HasOS && !v.HasData {
			return v
		}
	}
	return nil
}

// System is the volume the operating system was applied to first; nil before.
func (t *Table) System() *Volume {
	for i := range t.Volumes {
		if t.Volumes[i].HasOS {
			return &t.Volumes[i]
		}
	}
	return nil
}

// OnVolume splits a path that begins with the letter of a volume of this run (C:\x, c:/x/y): the volume and the rest, with /
// between its parts. Ok is false for every other path, and for one that leads out of the volume.
func (t *Table) OnVolume(path string) (v *Volume, rest string, ok bool) {
	path = strings.ReplaceAll(strings.TrimSpace(path), `\`, "/")
	if len(path) < 2 || path[1] != ':' || len(path) > 2 && path[2] != '/' {
		return nil, "", false
	}
	if v = t.ByLetter(path[:1]); v == nil {
		return nil, "", false
	}
	rest = joinInside("", strings.ReplaceAll(path[2:], "/", `\`))
	return v, strings.TrimPrefix(rest, "/"), rest != "" || strings.Trim(path[2:], "/") == ""
}

// Resolve finds what a destination text means: "C:" or "disk,partition".
func (t *Table) Resolve(text string) (Target, error) {
	text = strings.TrimSpace(text)
	if d, p, ok := strings.Cut(text, ","); ok {
		disk, err1 := strconv.Atoi(strings.TrimSpace(d))
		part, err2 := strconv.Atoi(strings.TrimSpace(p))
		if err1 != nil || err2 != nil || disk < 0 || disk > 99 || part < 1 {
			return Target{}, fmt.Errorf("destination %q is not disk,partition (disk 0 to 99, partition from 1)", text)
		}
		return Target{Volume: t.ByNumber(disk, part), Disk: disk, Partition: part}, nil
	}
	v := t.ByLetter(text)
	if v == nil {
		return Target{}, fmt.Errorf("no volume of this run has the letter %q; the partition step must give it one", text)
	}
	return Target{Volume: v, Disk: v.Disk, Partition: v.Partition}, nil
}
