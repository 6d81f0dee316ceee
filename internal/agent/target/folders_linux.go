package target

import (
	"context"

	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// folders is the engine's machine.VolumeFolders.
type folders struct{ t *Target }

// Folder implements machine.VolumeFolders.
func (f folders) Folder(ctx context.Context, v machine.Volume) (folder string, err error) {
	err = f.t.in(ctx, v, func(_ disk.Volume, dir string) error {
		folder = dir
		return nil
	})
	return folder, err
}
