package client

import (
	"os"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

// checkSpace refuses a package that does not fit before the first byte is downloaded (DOP-12).
func (f *fetch) checkSpace(missing []content.File) error {
	var needed int64
	for i, file := range missing {
		needed += file.Size
		if i > 0 && missing[i-1].SHA256 == file.SHA256 {
			continue // only the first of several equal files is downloaded, into the part
		}
		if info, err := os.Lstat(f.partName(file)); err == nil && info.Mode().IsRegular() {
			needed -= min(info.Size(), file.Size)
		}
	}
	if needed == 0 {
		return nil
	}
	free, err := safefile.Free(f.Dir)
	if err != nil {
		return f.local(err)
	}
	if needed+freeMargin > free {
		return f.full(needed)
	}
	return nil
}

// full makes the error for a disk without room.
func (f *fetch) full(needed int64) error {
	if needed == 0 { // the disk filled up while we wrote
		needed = f.Manifest.TotalSize - f.progress.Bytes
	}
	free, err := safefile.Free(f.Dir)
	if err != nil {
		free = 0
	}
	return &SpaceError{PackageID: f.Manifest.PackageID, Dir: f.Dir, Needed: needed + freeMargin, Available: free}
}
