package bootimage

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// libraryDirs are the folders in which Debian keeps shared libraries, below the
// merged /usr.
var libraryDirs = []string{"usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib"}

// needs returns what the dynamic loader will look for when it starts the file:
// the interpreter (absolute path, may be empty), the libraries by name, and
// extra folders to look in. A file that is no ELF file needs nothing.
func needs(file string) (interp string, libs, dirs []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", nil, nil, fmt.Errorf("read program: %w", err)
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil || string(magic[:]) != elf.ELFMAG {
		return "", nil, nil, nil
	}
	e, err := elf.NewFile(f)
	if err != nil {
		return "", nil, nil, fmt.Errorf("read program %s: %w", path.Base(file), err)
	}
	for _, p := range e.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			return "", nil, nil, fmt.Errorf("read program %s: %w", path.Base(file), err)
		}
		interp = strings.TrimRight(string(b), "\x00")
	}
	libs, err = e.ImportedLibraries()
	if err != nil {
		return "", nil, nil, fmt.Errorf("read program %s: %w", path.Base(file), err)
	}
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		paths, err := e.DynString(tag)
		if err != nil {
			continue
		}
		for _, p := range paths {
			for _, d := range strings.Split(p, ":") {
				if strings.HasPrefix(d, "/") {
					dirs = append(dirs, merged(d))
				}
			}
		}
	}
	return interp, libs, dirs, nil
}

// checkAgent refuses a program that could not run in the boot environment.
func checkAgent(file string) error {
	e, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("agent program: %w", err)
	}
	defer e.Close()
	if e.Machine != elf.EM_X86_64 {
		return fmt.Errorf("agent program %s is for %s: build it with GOOS=linux GOARCH=amd64", file, e.Machine)
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("agent program is dynamically linked: build it with CGO_ENABLED=0")
		}
	}
	return nil
}
