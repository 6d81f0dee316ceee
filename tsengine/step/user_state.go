package step

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// stateFile is the state of a Linux system in a folder of the user's own choice.
const stateFile = "userstate.tar.zst"

// CaptureUserState is Capture User State: the homes of Linux users, or scanstate on Windows, into OSDStateStorePath. It only
// reads, and an incomplete store is written anew, so it may be repeated.
type CaptureUserState struct{}

// Contract implements Step.
func (CaptureUserState) Contract() Contract {
	return Contract{Type: "CaptureUserStateAction", Effect: true, Repeatable: true, Component: "OSDMigrateUserState"}
}

// migration is what both steps work with.
type migration struct {
	*Context
	path     string // OSDStateStorePath
	advanced bool
	files    []string // OSDMigrateConfigFiles
	verbose  bool
}

func newMigration(c *Context) (*migration, *Outcome) {
	fail := func(code uint32, err error) (*migration, *Outcome) {
		out := Failure(code, err)
		return nil, &out
	}
	m := &migration{Context: c, path: c.Input(storeVariable)}
	if m.path == "" {
		return fail(CodeInvalid, errors.New("OSDStateStorePath is not set; put a Request State Store step before this one, or name a folder"))
	}
	if c.Machine.UserState == nil {
		return fail(CodeEnvironment, errors.New("this environment cannot move user state (TS-21)"))
	}
	switch mode := strings.TrimSpace(c.Input("OSDMigrateMode")); {
	case strings.EqualFold(mode, "Advanced"):
		m.advanced = true
		for name := range strings.SplitSeq(c.Input("OSDMigrateConfigFiles"), ",") {
			if name = strings.TrimSpace(name); name != "" {
				m.files = append(m.files, name)
			}
		}
		if len(m.files) == 0 {
			return fail(CodeInvalid, errors.New("OSDMigrateMode is Advanced and OSDMigrateConfigFiles names no file"))
		}
	case mode == "" || strings.EqualFold(mode, "Simple"):
	default:
		return fail(CodeInvalid, fmt.Errorf("OSDMigrateMode is %q; Simple and Advanced exist", mode))
	}
	var err error
	if m.verbose, err = c.InputBool("OSDMigrateEnableVerboseLogging", false); err != nil {
		return fail(CodeInvalid, err)
	}
	return m, nil
}

// onWindows says whether the programs of USMT do the work.
func (m *migration) onWindows() bool {
	return m.Machine.Programs != nil && m.Machine.Programs.Windows()
}

// Run implements Step.
func (CaptureUserState) Run(ctx context.Context, c *Context) Outcome {
	m, out := newMigration(c)
	if out != nil {
		return *out
	}
	skip, err := flag(c, "OSDMigrateContinueOnLockedFiles", "/continueOnError:", true)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	encrypted, err := flag(c, "OSDMigrateSkipEncryptedFiles", "/skipefs:", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	hardlinks := strings.EqualFold(c.Argument("_OSDMigrateUseHardlinks"), "true")
	offline := strings.EqualFold(c.Argument("_OSDMigrateOfflineUserState"), "true")
	remote := c.Machine.StateStore != nil && c.Machine.StateStore.Is(m.path)
	switch {
	case hardlinks && remote:
		return Failure(CodeInvalid, errors.New("hard links and a requested state store exclude each other (USM-4); leave one out"))
	case c.Environment == machine.WinPE && !offline:
		return Failure(CodeEnvironment, errors.New("in the boot environment only an offline capture is possible (_OSDMigrateOfflineUserState)"))
	case m.onWindows():
		return m.scan(ctx, scanOptions{skip: skip, skipEncrypted: encrypted, hardlinks: hardlinks, offline: offline})
	case hardlinks:
		return Failure(CodeEnvironment, errors.New("a store of hard links is made by scanstate on Windows only; on Linux use a state store or a folder"))
	case offline && c.Environment != machine.WinPE:
		return Failure(CodeEnvironment, errors.New("an offline capture is one in the boot environment; leave _OSDMigrateOfflineUserState out in a running system"))
	}
	options, err := m.linuxOptions(ctx)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if offline {
		if options.Target, err = systemRoot(c); err != nil {
			return Failure(CodeInvalid, err)
		}
	}
	options.SkipUnreadable, options.SkipUserEncoded = skip, encrypted
	err = m.save(ctx, func(w io.Writer) error {
		notes, err := c.Machine.UserState.Capture(ctx, w, options, c.Progress)
		m.notes(notes)
		return err
	})
	if err != nil {
		return Failure(CodeFailed, fmt.Errorf("capture user state: %w", err))
	}
	c.Log(smstslog.Info, "User state was captured into "+m.path)
	return Outcome{}
}

func (m *migration) notes(notes []string) {
	for _, n := range notes {
		m.Log(smstslog.Warning, n)
	}
}

// save writes the state to the store, or to a file in the folder that OSDStateStorePath names.
func (m *migration) save(ctx context.Context, write func(io.Writer) error) error {
	if s := m.Machine.StateStore; s != nil && s.Is(m.path) {
		err := s.Save(ctx, m.path, write)
		if m.Repeated && errors.Is(err, machine.ErrStateComplete) {
			m.Log(smstslog.Info, "The user state was complete when the step was interrupted")
			return nil
		}
		return err
	}
	dir := m.path
	if there := m.Volumes.NetworkPath(m.path); there != "" {
		dir = there
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, stateFile+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, stateFile))
}

func (m *migration) load(ctx context.Context, read func(io.Reader) error) error {
	if s := m.Machine.StateStore; s != nil && s.Is(m.path) {
		return s.Load(ctx, m.path, read)
	}
	dir := m.path
	if there := m.Volumes.NetworkPath(m.path); there != "" {
		dir = there
	}
	f, err := os.Open(filepath.Join(dir, stateFile))
	if err != nil {
		return err
	}
	defer f.Close()
	return read(f)
}

// maxConfig bounds a configuration file of the migration.
const maxConfig = 1 << 20

// linuxOptions reads what Advanced means on Linux: files with one absolute path to take along in a line, or a pattern of
// names to leave out behind a minus.
func (m *migration) linuxOptions(ctx context.Context) (machine.CaptureOptions, error) {
	var o machine.CaptureOptions
	if !m.advanced {
		return o, nil
	}
	dir := ""
	if id := strings.TrimSpace(m.Argument("_OSDMigrateUsmtPackageID")); id != "" {
		var err error
		if dir, err = m.Package(ctx, id); err != nil {
			return o, err
		}
	}
	for _, name := range m.files {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, filepath.Clean("/"+name))
		}
		f, err := os.Open(name)
		if err != nil {
			return o, fmt.Errorf("OSDMigrateConfigFiles: %w", err)
		}
		lines := bufio.NewScanner(io.LimitReader(f, maxConfig))
		for lines.Scan() {
			line := strings.TrimSpace(lines.Text())
			switch pattern, exclude := strings.CutPrefix(line, "-"); {
			case line == "" || line[0] == '#':
			case exclude:
				pattern = strings.TrimSpace(pattern)
				if _, err := filepath.Match(pattern, ""); err != nil {
					f.Close()
					return o, fmt.Errorf("%s: %q is no pattern", name, pattern)
				}
				o.Exclude = append(o.Exclude, pattern)
			case filepath.IsAbs(line):
				o.Include = append(o.Include, filepath.Clean(line))
			default:
				f.Close()
				return o, fmt.Errorf("%s: %q is neither an absolute path nor a pattern behind a minus", name, line)
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return o, fmt.Errorf("%s: %w", name, err)
		}
	}
	return o, nil
}

// RestoreUserState is Restore User State: the counterpart of Capture User State, into the same files. It overwrites what is
// there, so it may be repeated.
type RestoreUserState struct{}

// Contract implements Step.
func (RestoreUserState) Contract() Contract {
	return Contract{Type: "RestoreUserStateAction", RunIn: sequence.FullOS, Effect: true, Repeatable: true, Component: "OSDMigrateUserState"}
}

// Run implements Step.
func (RestoreUserState) Run(ctx context.Context, c *Context) Outcome {
	m, out := newMigration(c)
	if out != nil {
		return *out
	}
	skip, err := flag(c, "OSDMigrateContinueOnRestore", "/continueOnError:", true)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	accounts, err := c.InputBool("OSDMigrateLocalAccounts", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	password := c.Input("OSDMigrateLocalAccountPassword")
	c.Variables.AddSecret(password)
	if m.onWindows() {
		return m.loadState(ctx, skip, accounts, password)
	}
	err = m.load(ctx, func(r io.Reader) error {
		notes, err := c.Machine.UserState.Restore(ctx, r, machine.RestoreOptions{SkipFailed: skip, Accounts: accounts, Password: password}, c.Progress)
		m.notes(notes)
		return err
	})
	if err != nil {
		return Failure(CodeFailed, fmt.Errorf("restore user state: %w", err))
	}
	c.Log(smstslog.Info, "User state was restored from "+m.path)
	return Outcome{}
}
