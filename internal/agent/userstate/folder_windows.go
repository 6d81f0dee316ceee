package userstate

import (
	"context"
	"errors"
	"io"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// Windows is a machine.UserState whose files scanstate and loadstate read and write.
type Windows struct{}

// Pack implements machine.UserState.
func (Windows) Pack(ctx context.Context, dir string, w io.Writer) error { return Pack(ctx, dir, w) }

// Unpack implements machine.UserState.
func (Windows) Unpack(ctx context.Context, r io.Reader, dir string) error { return Unpack(ctx, r, dir) }

var errUSMT = errors.New("on Windows the User State Migration Tool moves user state")

// Capture implements machine.UserState.
func (Windows) Capture(context.Context, io.Writer, machine.CaptureOptions, machine.Progress) ([]string, error) {
	return nil, errUSMT
}

// Restore implements machine.UserState.
func (Windows) Restore(context.Context, io.Reader, machine.RestoreOptions, machine.Progress) ([]string, error) {
	return nil, errUSMT
}
