package wine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrMissing says that there is no Wine on this machine.
var ErrMissing = errors.New("wine is not installed: apt-get install wine64")

// program is Debian's, which needs no shell script around it.
const program = "/usr/lib/wine/wine64"

// Bed is a Wine prefix, a Windows of its own. It is safe for concurrent use once it is open.
type Bed struct {
	dir     string
	overlay string
}

// Open makes a prefix in dir, which takes about ten seconds and 700 MB. Close it.
func Open(ctx context.Context, dir string) (*Bed, error) {
	if _, err := os.Stat(program); err != nil {
		return nil, ErrMissing
	}
	b := &Bed{dir: dir}
	if err := b.make(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make a Wine prefix: %w", err), b.Close())
	}
	return b, nil
}

func (b *Bed) make(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	for _, args := range [][]string{{"wineboot", "-i"}, {"winecfg", "-v", "win10"}} { // Wine 8 is a Windows 7 until told otherwise
		if out, err := b.Output(b.Command(ctx, args[0], args[1:]...)); err != nil {
			return fmt.Errorf("%s: %w: %s", args[0], err, bytes.TrimSpace(out))
		}
	}
	// Wine that has made its prefix starts no services, such as the one for COM (they time out); started anew it does.
	if err := b.Close(); err != nil {
		return err
	}
	library, err := forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.C(), "windows", "system32", "bcryptprimitives.dll"), library, 0o644); err != nil {
		return err
	}
	return b.patch(ctx)
}

// patch makes programs delete files as they did before Windows 10, because Wine 8 answers the new way in words that Go
// does not know; Go's own tests have a switch for that.
func (b *Bed) patch(ctx context.Context) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find Go: %w", err)
	}
	name := filepath.Join(strings.TrimSpace(string(root)), "src/internal/syscall/windows/at_windows.go")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	const off, on = "var TestDeleteatFallback bool", "var TestDeleteatFallback = true"
	if !bytes.Contains(text, []byte(off)) {
		return fmt.Errorf("%s has no %q any more", name, off)
	}
	patched := filepath.Join(b.dir, "at_windows.go")
	if err := os.WriteFile(patched, bytes.Replace(text, []byte(off), []byte(on), 1), 0o644); err != nil {
		return err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {name: patched}})
	if err != nil {
		return err
	}
	b.overlay = filepath.Join(b.dir, "overlay.json")
	return os.WriteFile(b.overlay, overlay, 0o644)
}

// C is the folder that is drive C.
func (b *Bed) C() string { return filepath.Join(b.dir, "prefix", "drive_c") }

// Command prepares a Windows program, a file or a name that Wine has. It gets no display.
func (b *Bed) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, append([]string{name}, args...)...)
	cmd.Env = append(os.Environ(), "WINEPREFIX="+filepath.Join(b.dir, "prefix"), "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=", "DISPLAY=")
	return cmd
}

// Output runs a command and returns what it wrote. It goes by a file: Wine's own services are started by the first
// program, and would hold a pipe open.
func (b *Bed) Output(cmd *exec.Cmd) (out []byte, err error) {
	f, err := os.CreateTemp(b.dir, "output-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	cmd.Stdout, cmd.Stderr = f, f
	failed := cmd.Run()
	out, err = os.ReadFile(f.Name())
	return out, errors.Join(failed, err)
}

// Build builds the main package or, with test, the tests of a package for Windows.
func (b *Bed) Build(ctx context.Context, pkg, out string, test bool) error {
	args := []string{"build"}
	if test {
		args = []string{"test", "-c"}
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "-overlay", b.overlay, "-o", out, pkg)...)
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s for Windows: %w: %s", pkg, err, bytes.TrimSpace(text))
	}
	return nil
}

// Close ends every program of the prefix. The folder is the caller's.
func (b *Bed) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, flag := range []string{"-k", "-w"} { // -w waits until the files are no longer written
		cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(program), "wineserver64"), flag)
		cmd.Env = append(os.Environ(), "WINEPREFIX="+filepath.Join(b.dir, "prefix"))
		if err := cmd.Run(); err != nil && flag == "-w" {
			return fmt.Errorf("end Wine: %w", err)
		}
	}
	return nil
}
