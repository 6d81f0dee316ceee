package machine

import (
	"context"
	"errors"
	"io"
)

// ErrNoState says that there is no user state to restore on this machine.
var ErrNoState = errors.New("there is no user state for this machine")

// ErrStateComplete says that a store holds a complete state already.
var ErrStateComplete = errors.New("the state store holds a captured state already")

// StateStore is the site's place for user state. Paths are names that it gave; what is written to one is encrypted before
// it leaves the machine.
type StateStore interface {
	// Request makes a store, or finds the one to restore from (ErrNoState when there is none). It tries once.
	Request(ctx context.Context, restore bool) (path string, err error)
	// Is says whether a path is one of the store's, not a folder.
	Is(path string) bool
	// Save gives write a stream whose content becomes the state. It is complete when Save returns without error; until then
	// it may be repeated, after that it is ErrStateComplete.
	Save(ctx context.Context, path string, write func(io.Writer) error) error
	// Load gives read the content of the state. An error of Load means that nothing that was read may be used.
	Load(ctx context.Context, path string, read func(io.Reader) error) error
	// Release says that the store is not needed any more. Repeating it is harmless.
	Release(ctx context.Context, path string) error
}

// UserState turns the state of users into a stream and back.
type UserState interface {
	// Capture writes the files of the users of the running system, or of the installed one in a boot environment, Linux only. Notes are what was left out.
	Capture(ctx context.Context, w io.Writer, o CaptureOptions, progress Progress) (notes []string, err error)
	// Restore puts them into the running system. It refuses before it writes anything when an owner has no account here
	// and o makes none.
	Restore(ctx context.Context, r io.Reader, o RestoreOptions, progress Progress) (notes []string, err error)
	// Pack and Unpack move a whole folder, such as the store of scanstate. Unpack empties it first.
	Pack(ctx context.Context, dir string, w io.Writer) error
	Unpack(ctx context.Context, r io.Reader, dir string) error
}

// CaptureOptions say what Capture takes: the home folders, without caches, and more.
type CaptureOptions struct {
	Include         []string // absolute paths besides the home folders
	Exclude         []string // patterns of file names that are left out
	SkipUnreadable  bool     // go on when a file cannot be read
	SkipUserEncoded bool     // leave out what users encrypted themselves
	Target          *Target  // in a boot environment: the volume with the system; nil is the only one that holds one
}

// RestoreOptions say how Restore goes on.
type RestoreOptions struct {
	SkipFailed bool   // go on when a file cannot be restored
	Accounts   bool   // make accounts that are not here
	Password   string // of all of them; empty: none can sign in with a password
}
