package cli

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/internal/wire"
)

// upload sends the files of source, a folder or one file, to a remote appliance
// as a tar archive; query says what they become.
func (env *environment) upload(ctx context.Context, query url.Values, source string) error {
	made, err := env.send(ctx, query, source)
	if err != nil {
		return err
	}
	return env.printPackage(made)
}

// send is upload without saying so.
func (env *environment) send(ctx context.Context, query url.Values, source string) (made wire.Package, err error) {
	files, total, err := regularFiles(source)
	if err != nil {
		return made, err
	}
	c, err := env.client()
	if err != nil {
		return made, err
	}
	p := env.progress()
	body, archive := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := writeTar(archive, files, func(done int64) { p.amount("sent", done, total) })
		archive.CloseWithError(err)
		written <- err
	}()
	err = c.Send(ctx, "POST", apiRoot+"/packages/upload?"+query.Encode(), "application/x-tar", body, &made)
	body.CloseWithError(errSent) // the writer must not wait for a reader that has gone
	if werr := <-written; werr != nil && !errors.Is(werr, errSent) && !errors.Is(werr, io.ErrClosedPipe) {
		err = werr // the cause; what the request says follows from it
	}
	p.end()
	return made, err
}

var errSent = errors.New("the request has ended")

// sourceFile is one file of an archive.
type sourceFile struct {
	path, name string
	size       int64
}

// regularFiles lists what is below source in a fixed order. Links and devices
// are refused here, before anything is sent.
func regularFiles(source string) (files []sourceFile, total int64, err error) {
	err = filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder: a package holds only these", path)
		}
		name, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		if name == "." {
			name = filepath.Base(path)
		}
		files = append(files, sourceFile{path, filepath.ToSlash(name), info.Size()})
		total += info.Size()
		return nil
	})
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("read source: %w", err)
	case len(files) == 0:
		return nil, 0, fmt.Errorf("%s holds no file", source)
	}
	return files, total, nil
}

func writeTar(w io.Writer, files []sourceFile, progress func(done int64)) error {
	archive := tar.NewWriter(w)
	var done int64
	for _, f := range files {
		if err := addFile(archive, f, func(n int) { done += int64(n); progress(done) }); err != nil {
			return fmt.Errorf("send %s: %w", f.path, err)
		}
	}
	return archive.Close()
}

func addFile(archive *tar.Writer, f sourceFile, moved func(int)) error {
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: f.size, Format: tar.FormatPAX}); err != nil {
		return err
	}
	n, err := io.Copy(archive, io.TeeReader(io.LimitReader(in, f.size), counter(moved)))
	if err == nil && n < f.size {
		err = errors.New("it became shorter while it was read")
	}
	return err
}

// counter is told of every write.
type counter func(int)

func (c counter) Write(p []byte) (int, error) {
	c(len(p))
	return len(p), nil
}
