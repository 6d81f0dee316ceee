package step

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// InstallPackage is Install Package: a program of a package, or those that a base variable lists. What a program did
// before an interruption is unknown, so it is not repeated; after a restart that one asked for, the list goes on with the
// next.
type InstallPackage struct{}

// Contract implements Step.
func (InstallPackage) Contract() Contract {
	return Contract{Type: "InstallSoftwareAction", RunIn: sequence.FullOS, Effect: true, Component: "InstallSoftware"}
}

// Run implements Step.
func (InstallPackage) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Software == nil {
		return Failure(CodeEnvironment, errors.New("this environment knows no site that offers programs of packages"))
	}
	entries, out := packageEntries(c)
	if out != nil {
		return *out
	}
	if len(entries) == 0 {
		c.Log(smstslog.Info, "The list is empty: nothing is installed (TS-90)")
		return Outcome{}
	}
	onward, err := flag(c, "ContinueOnInstallError", "/continueOnError:", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	first, err := takePosition(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	for i := first; i < len(entries); i++ {
		out := installProgram(ctx, c, entries[i])
		switch {
		case ctx.Err() != nil && (out.Err != nil || i+1 < len(entries)): // cancelled, and not everything is installed
			return Failure(CodeFailed, errors.Join(ctx.Err(), out.Err))
		case out.Err != nil && onward && len(entries) > 1:
			c.Log(smstslog.Error, fmt.Sprintf("%s failed, the list goes on: %v", entries[i], out.Err))
		case out.Err != nil:
			return out
		case out.Restart != nil && i+1 < len(entries):
			return restartAt(c, i+1)
		case out.Restart != nil:
			return out
		}
	}
	return Outcome{}
}

// packageEntries are the programs to run as PKGID:Program.
func packageEntries(c *Context) ([]string, *Outcome) {
	invalid := func(format string, args ...any) ([]string, *Outcome) {
		out := Failure(CodeInvalid, fmt.Errorf(format, args...))
		return nil, &out
	}
	base := argument(c, "BaseVariableName", "/basevar:")
	if base != "" {
		return numbered(c, base, 3), nil
	}
	id := argument(c, "PackageID", "/pkg:")
	// A default whose own name begins with _ is a normal input (TS-88).
	program := strings.TrimSpace(c.Argument("_SMSSWDProgramName"))
	switch {
	case id == "":
		return invalid("step %q names neither a package nor a base variable", c.Node.Name)
	case program == "":
		return invalid("step %q names no program of package %s", c.Node.Name, id)
	}
	return []string{id + ":" + program}, nil
}

func installProgram(ctx context.Context, c *Context, entry string) Outcome {
	id, name, ok := strings.Cut(entry, ":")
	id, name = strings.TrimSpace(id), strings.TrimSpace(name)
	if !ok || !wire.ValidObjectID(id) || name == "" {
		return Failure(CodeInvalid, fmt.Errorf("%q is not PACKAGEID:Program with the id in upper case (TS-90)", entry))
	}
	program, err := c.Machine.Software.Program(ctx, id, name)
	switch {
	case errors.Is(err, machine.ErrNoSoftware):
		return Failure(CodeNotFound, fmt.Errorf("program %q of package %s: %w; see `bootyard package program list %s`", name, id, err, id))
	case err != nil:
		return Failure(CodeFailed, fmt.Errorf("program %q of package %s: %w", name, id, err))
	case program.Disabled:
		return Failure(CodeInvalid, fmt.Errorf("program %q of package %s is disabled", name, id))
	case program.RunMode != "" && program.RunMode != "always":
		return Failure(CodeInvalid, fmt.Errorf("program %q of package %s runs only while a user is signed in, which a task sequence cannot wait for; set its run mode to always", name, id))
	}
	if program.RunFirst != "" {
		otherID, other, _ := strings.Cut(program.RunFirst, ":")
		if !c.Machine.Software.HasRun(otherID, other) {
			return Failure(CodeFailed, fmt.Errorf("program %q of package %s needs %s to have run on this machine before; install that in a step of its own", name, id, program.RunFirst))
		}
	}
	dir, err := c.Package(ctx, id)
	if err != nil {
		return Failure(CodeContent, err)
	}
	run := installer{line: program.Command, dir: dir, workingDir: program.WorkingDir, minutes: program.MaxMinutes}
	if c.Variables.True("OSDDoNotLogCommand") {
		run.shown = "a program of package " + id + " (not shown: OSDDoNotLogCommand is set)"
	} else {
		c.Log(smstslog.Info, fmt.Sprintf("Installing package %s, program %q", id, program.Name))
	}
	exit, err := runInstaller(ctx, c, run)
	out := Outcome{Code: exit.Code, Output: lastCharacters(exit.Output)}
	switch {
	case err != nil:
		out.Err = fmt.Errorf("package %s, program %q: %w", id, name, err)
		return out
	case !succeededWith(exit.Code, nil):
		out.Err = fmt.Errorf("package %s, program %q ended with exit code %d", id, name, exit.Code)
		return out
	}
	if err := c.Machine.Software.NoteRun(id, program.Name); err != nil {
		return Failure(CodeFailed, err)
	}
	if wantsRestart(exit.Code) {
		out.Code, out.Restart = 0, &Restart{}
	}
	return out
}
