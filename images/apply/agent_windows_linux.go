package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Where the agent and its files lie in an installed Windows, from the root of its volume.
const (
	WindowsAgent  = "Program Files/bootyard/bootyard-agent.exe"
	windowsStart  = "Program Files/bootyard/service.cmd"
	windowsData   = "ProgramData/bootyard"
	windowsConfig = windowsData + "/agent.json"
	windowsCA     = windowsData + "/ca.pem"
	windowsRun    = WindowsStateDir + "/run" // as RunStateDir
	setupComplete = "Windows/Setup/Scripts/SetupComplete.cmd"

	// WindowsStateDir is as StateDir.
	WindowsStateDir = windowsData + "/state"
)

// WindowsService is the command that makes the agent a service of the installed Windows and starts it. It may run twice:
// in the specialize pass of Setup, and at its end (SetupComplete.cmd, which Windows leaves out with some product keys).
const WindowsService = `cmd.exe /d /c "%SystemDrive%\Program Files\bootyard\service.cmd"`

// serviceScript makes the service. It exists already the second time, which is no error.
const serviceScript = "@echo off\r\n" +
	"set agent=%SystemDrive%\\Program Files\\bootyard\\bootyard-agent.exe\r\n" +
	"\"%agent%\" service install >nul 2>&1\r\n" +
	"sc.exe start bootyard-agent >nul\r\n" +
	"exit /b 0\r\n"

// completeLine calls it at the end of Setup.
const completeLine = "call \"%SystemDrive%\\Program Files\\bootyard\\service.cmd\"\r\n"

// HoldsWindowsSystem says whether the volume mounted at dir holds Windows.
func HoldsWindowsSystem(dir string) bool {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer func() { _ = root.Close() }() // only read from
	name, ok := Fold(root, "Windows/System32")
	if !ok {
		return false
	}
	info, err := root.Stat(name)
	return err == nil && info.IsDir()
}

// InstallWindowsAgent puts the agent for Windows, its configuration and the run's state into the applied Windows at dir
// (TS-118). SetupComplete.cmd of the image keeps what it had. Only the system and administrators may read the state. The
// caller has the specialize pass run WindowsService too. Repeating it is safe.
func InstallWindowsAgent(ctx context.Context, dir string, a Agent) error {
	fail := func(err error) error { return fmt.Errorf("install the agent: %w", err) }
	if len(a.Config) > 0 && !json.Valid(a.Config) {
		return fail(errors.New("configuration is no JSON"))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = root.Close() }() // a folder, each file was synced
	w := windowsFiles{root: root, dir: dir}
	for _, d := range []struct {
		name  string
		users bool
	}{{path.Dir(WindowsAgent), true}, {windowsData, false}, {path.Dir(windowsRun), false}, {windowsRun, false}} {
		if err := w.folder(d.name, d.users); err != nil {
			return fail(err)
		}
	}
	binary, err := os.ReadFile(a.Binary)
	if err != nil {
		return fail(err)
	}
	if len(binary) < 2 || string(binary[:2]) != "MZ" {
		return fail(fmt.Errorf("%s is no program for Windows", a.Binary))
	}
	files := []windowsFile{{WindowsAgent, binary, true}, {windowsStart, []byte(serviceScript), true}, {windowsConfig, a.Config, false}, {windowsCA, a.CA, false}}
	for name, data := range a.State {
		if !filepath.IsLocal(name) || path.Clean(name) == "." || strings.ContainsAny(name, `\:`) {
			return fail(fmt.Errorf("state file name %q leads out of the state folder", name))
		}
		if d := path.Dir(name); d != "." {
			if err := w.folder(path.Join(windowsRun, d), false); err != nil {
				return fail(err)
			}
		}
		files = append(files, windowsFile{path.Join(windowsRun, name), data, false})
	}
	files = append(files, windowsFile{path.Join(windowsRun, path.Base(ResumeToken)), a.Token, false})
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return fail(err)
		}
		if len(f.data) > 0 {
			if err := w.write(f); err != nil {
				return fail(err)
			}
		}
	}
	if err := w.complete(); err != nil { // last: a half-written agent never starts
		return fail(err)
	}
	if err := syncVolume(dir); err != nil {
		return fail(err)
	}
	return nil
}

// WriteWindowsFile writes a file into an applied Windows at dir, in place of one of that name in any case. Only the system
// and administrators may read it.
func WriteWindowsFile(dir, name string, data []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	w := windowsFiles{root: root, dir: dir}
	return errors.Join(w.write(windowsFile{name, data, false}), root.Close())
}

// CopyToWindows is WriteWindowsFile with a file of another folder, of any size.
func CopyToWindows(from *os.Root, source, dir, name string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	at, _ := Fold(root, name)
	if err = copyBetween(from, source, root, at); err == nil {
		err = windowsFiles{root: root, dir: dir}.protect(at, false)
	}
	return errors.Join(err, root.Close())
}

type windowsFile struct {
	name  string
	data  []byte
	users bool // may read it
}

// windowsFiles writes into an applied Windows.
type windowsFiles struct {
	root *os.Root
	dir  string
}

func (w windowsFiles) folder(name string, users bool) error {
	at, _ := Fold(w.root, name)
	if err := w.root.MkdirAll(at, 0o700); err != nil {
		return err
	}
	return w.protect(at, users)
}

func (w windowsFiles) write(f windowsFile) error {
	at, _ := Fold(w.root, f.name)
	mode := os.FileMode(0o600)
	if f.users {
		mode = 0o755
	}
	if err := writeFile(w.root, at, f.data, mode); err != nil {
		return err
	}
	return w.protect(at, f.users)
}

// protect goes by a path of this machine, as the system call does; a link in it was refused when the file was made.
func (w windowsFiles) protect(name string, users bool) error {
	info, err := w.root.Lstat(name)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a link", name)
	}
	return protect(filepath.Join(w.dir, name), users)
}

// complete adds the call of the service's script to SetupComplete.cmd.
func (w windowsFiles) complete() error {
	at, there := Fold(w.root, setupComplete)
	script := "@echo off\r\n"
	if there {
		old, err := readFile(w.root, at, 1<<20)
		if err != nil {
			return err
		}
		if strings.Contains(string(old), strings.TrimSpace(completeLine)) {
			return nil
		}
		script = string(old)
	}
	// In front: the image's own script may end with exit.
	head, rest := "", script
	if first, after, ok := strings.Cut(script, "\n"); ok && strings.EqualFold(strings.TrimSpace(first), "@echo off") {
		head, rest = first+"\n", after
	}
	return w.write(windowsFile{setupComplete, []byte(head + completeLine + rest), true})
}
