package machine

import (
	"context"
	"time"
)

// Programs runs programs of the operating system by argument list: no command line is put together, and nothing is
// expanded by a shell.
type Programs interface {
	// Windows says whether this is Windows (also WinPE), whose programs the steps for Windows need.
	Windows() bool
	// Find says whether there is a program of that name.
	Find(name string) bool
	// Start runs a program and waits for its end. A program that ran has no error, whatever its exit code; one that could
	// not be started, or was ended because ctx ended or its time was up (ErrTimeout), has one.
	Start(ctx context.Context, program Program) (Exit, error)
}

// Program is a program to start. Secrets belong into Input wherever the program reads them there: arguments can be seen by
// every user of the machine. Implementations log neither.
type Program struct {
	Name    string // a path, or a name that is looked up
	Args    []string
	Input   string        // standard input
	Dir     string        // working folder; empty is the implementation's choice
	Timeout time.Duration // 0 is an hour
	Output  func(line string)
}

// OSPreparation makes the running operating system ready for being captured as an image.
type OSPreparation interface {
	// PrepareOS takes away what no two machines may share. It fails when the system belongs to a domain. Notes are for
	// the log. Repeating it is safe.
	PrepareOS(ctx context.Context) (notes []string, err error)
}

// Tattoo leaves facts of a deployment in the system that runs now.
type Tattoo interface {
	// Tattoo replaces what an earlier deployment left and says where the facts are; those of the other kind (prefix Capture
	// or none) stay. Repeating it is safe.
	Tattoo(ctx context.Context, prefix string, facts []Fact) (where string, err error)
}

// Fact is one line of it. Names are letters and digits.
type Fact struct{ Name, Value string }
