package packageshare

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	newFolder = ".new"
	oldFolder = ".old"
)

// recall takes up what is in the share from an earlier start, and clears what a crash left half done. The files are not
// looked at again: they are as whoever administers this machine left them (DOP-15).
func (s *Share) recall() {
	for _, name := range []string{newFolder, oldFolder} {
		if err := os.RemoveAll(filepath.Join(s.tree(), name)); err != nil {
			s.config.Log.Warn("package share: leftovers stay", "err", err)
		}
	}
	notes, err := os.ReadDir(s.notes())
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, note := range notes {
		data, err := os.ReadFile(filepath.Join(s.notes(), note.Name()))
		version, err2 := strconv.Atoi(strings.TrimSpace(string(data)))
		info, err3 := os.Stat(filepath.Join(s.tree(), note.Name()))
		if err == nil && err2 == nil && err3 == nil && info.IsDir() {
			s.here[note.Name()] = version
		}
	}
	// A copy without its note came or went when the appliance was killed. What is wanted is copied anew.
	copies, err := os.ReadDir(s.tree())
	for _, c := range copies {
		if _, noted := s.here[c.Name()]; !noted {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.tree(), c.Name())))
		}
	}
	if err != nil {
		s.config.Log.Warn("package share: leftovers stay", "err", err)
	}
}

// Sync brings the share to what the source lists: new and changed packages in, others out. What works is done, whatever
// else fails. It must not be called beside Run.
func (s *Share) Sync(ctx context.Context) error {
	list, err := s.config.Source.Shared(ctx)
	if err != nil {
		return fmt.Errorf("list the packages of the share: %w", err)
	}
	wanted := map[string]bool{}
	var errs []error
	for _, p := range list {
		if !wire.ValidObjectID(p.ID) {
			continue
		}
		wanted[p.ID] = true
		if s.Ready(p.ID, p.Version) {
			continue
		}
		if err := s.put(ctx, p); err != nil {
			errs = append(errs, fmt.Errorf("package %s: %w", p.ID, err))
		}
	}
	s.mu.Lock()
	var gone []string
	for id := range s.here {
		if !wanted[id] {
			gone = append(gone, id)
		}
	}
	s.mu.Unlock()
	for _, id := range gone {
		if err := s.take(id); err != nil {
			errs = append(errs, fmt.Errorf("package %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// put makes a version of a package the one in the share. It appears at once and complete; whoever has a file of the former
// one open keeps it.
func (s *Share) put(ctx context.Context, p Package) error {
	var m content.Manifest
	if p.Dir == "" {
		var err error
		if _, m, err = s.config.Source.ManifestVersion(p.ID, p.Version); err != nil {
			return err
		}
	}
	began := time.Now()
	fresh := filepath.Join(s.tree(), newFolder, p.ID)
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(fresh)
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		if err = s.copy(ctx, root, f); err != nil {
			break
		}
	}
	for _, name := range p.Files {
		if err == nil {
			err = copyPlain(ctx, root, p.Dir, name)
		}
	}
	if err := errors.Join(err, root.Close()); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := s.take(p.ID); err != nil {
		return err
	}
	if err := os.Rename(fresh, filepath.Join(s.tree(), p.ID)); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(s.notes(), p.ID), []byte(strconv.Itoa(p.Version)+"\n"), 0o600); err != nil {
		return err
	}
	s.mu.Lock()
	s.here[p.ID] = p.Version
	s.mu.Unlock()
	s.config.Log.Info("package is in the share", "package", p.ID, "version", p.Version, "files", len(m.Files)+len(p.Files), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// copy brings one file, hashed on its way: what is wrong in the library does not get into the share.
func (s *Share) copy(ctx context.Context, root *os.Root, f content.File) error {
	from, err := s.config.Source.OpenBlob(f.SHA256)
	if err != nil {
		return err
	}
	defer from.Close()
	name := filepath.FromSlash(f.Path)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	to, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755) // programs run in place
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, h), reader{ctx, from})
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return err
	}
	if content.Hash(h.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("file %q is damaged in the content library: `bootyard package verify` tells which, update the package from its source", f.Path)
	}
	return nil
}

// copyPlain brings a file of a folder of this machine.
func copyPlain(ctx context.Context, root *os.Root, dir, name string) error {
	source, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer source.Close()
	from, err := source.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := root.OpenFile(filepath.Base(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, reader{ctx, from})
	return errors.Join(err, to.Sync(), to.Close())
}

// take removes a package from the share.
func (s *Share) take(id string) error {
	s.mu.Lock()
	delete(s.here, id)
	s.mu.Unlock()
	if err := os.Remove(filepath.Join(s.notes(), id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	old := filepath.Join(s.tree(), oldFolder)
	if err := os.MkdirAll(old, 0o700); err != nil {
		return err
	}
	err := os.Rename(filepath.Join(s.tree(), id), filepath.Join(old, id))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// reader ends a long copy when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
