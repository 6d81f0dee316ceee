package machine

import (
	"context"
	"errors"

	"github.com/bootyard/bootyard/internal/wire"
)

// ErrNoSoftware is wrapped by Software for what the site does not have, or not for this run.
var ErrNoSoftware = errors.New("not offered by the site")

// Software tells what the site offers to this run.
type Software interface {
	// Program finds a program of a package by name, without regard to case. Unknown ones are ErrNoSoftware.
	Program(ctx context.Context, packageID, name string) (wire.Program, error)
	// Application finds an application by its model name or its exact name. Unknown ones are ErrNoSoftware.
	Application(ctx context.Context, name string) (wire.Application, error)
	// HasRun says whether a program ended with success on this machine before, in this run or an earlier one.
	HasRun(packageID, program string) bool
	// NoteRun remembers that it did, over restarts.
	NoteRun(packageID, program string) error
}
