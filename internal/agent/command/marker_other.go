//go:build !linux

package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"time"
)

// The marks of a run (images/apply.MarkerOnRoot and MarkerOnESP), as Windows names them.
const (
	markerOnRoot = `C:\boot\bootyard\pending.run`
	markerOnESP  = `\bootyard\pending.run`
)

// mountTime bounds one call of mountvol.
const mountTime = 30 * time.Second

// removeMarkers takes the marks away. The EFI system partition gets a letter for that moment; a machine that starts by
// BIOS has none, and mountvol says so.
func removeMarkers() error {
	var err error
	if e := os.Remove(markerOnRoot); !errors.Is(e, os.ErrNotExist) {
		err = e
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*mountTime)
	defer cancel()
	for letter := 'Z'; letter >= 'S'; letter-- {
		drive := string(letter) + ":"
		if _, e := os.Stat(drive + `\`); e == nil {
			continue
		}
		if exec.CommandContext(ctx, "mountvol.exe", drive, "/S").Run() != nil {
			return err
		}
		if e := os.Remove(drive + markerOnESP); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
		return errors.Join(err, exec.CommandContext(ctx, "mountvol.exe", drive, "/D").Run())
	}
	return err
}
