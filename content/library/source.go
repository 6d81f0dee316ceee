package library

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/content"
)

// source is a folder, or a single file, that is being imported. All access goes through os.Root, so a folder that is
// changed during the import cannot make it read outside.
type source struct {
	root  *os.Root
	files []sourceFile
	total int64
}

type sourceFile struct {
	path string
	size int64
}

// openSource lists what is to be imported and refuses what a package cannot hold.
func openSource(ctx context.Context, name string) (*source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("package source: %w", err)
	}
	dir, only := name, "."
	if info.Mode().IsRegular() {
		dir, only = filepath.Dir(name), filepath.Base(name)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("package source %s is neither a folder nor a file", name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("package source: %w", err)
	}
	s := &source{root: root}
	if err := fs.WalkDir(root.FS(), only, s.visit(ctx, name)); err != nil {
		root.Close()
		return nil, err
	}
	if len(s.files) == 0 {
		root.Close()
		return nil, fmt.Errorf("package source %s has no files in it", name)
	}
	slices.SortFunc(s.files, func(a, b sourceFile) int { return strings.Compare(a.path, b.path) })
	return s, nil
}

func (s *source) visit(ctx context.Context, dir string) fs.WalkDirFunc {
	return func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("package source: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if entry.IsDir() {
			return nil
		}
		if kind := specialKind(entry.Type()); kind != "" {
			return fmt.Errorf("package source %s: %q is %s, a package holds plain files only: replace it by a file or leave it out", dir, name, kind)
		}
		if err := content.CheckPath(name); err != nil {
			return fmt.Errorf("package source %s: %w: rename it", dir, err)
		}
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("package source: %w", err)
		}
		s.files = append(s.files, sourceFile{path: name, size: info.Size()})
		s.total += info.Size()
		return nil
	}
}

// specialKind names what is not a plain file; empty for a plain one.
func specialKind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	default:
		return "no plain file"
	}
}

// open opens a listed file and makes sure that it still is a plain one.
func (s *source) open(name string) (*os.File, error) {
	before, err := s.root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("package source: %w", err)
	}
	// Opening a pipe that took the file's place would wait for a writer for ever.
	if kind := specialKind(before.Mode()); kind != "" {
		return nil, fmt.Errorf("package source: %q became %s during the import", name, kind)
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("package source: %w", err)
	}
	return f, nil
}

func (s *source) close() { s.root.Close() }
