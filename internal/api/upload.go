package api

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	uploadPath = root + "/packages/upload"
	// uploadStall ends an upload from which nothing has come for a while.
	uploadStall    = time.Minute
	maxUploadFiles = 150_000 // what one manifest can name
	maxUploadBytes = 256 << 30
	maxUploads     = 2
)

// upload takes a tar archive as a new package, or as the next version of the
// package named by id: POST with name, id and kind in the query. Only regular
// files are taken; the archive's owners, modes and links are not.
func (a *API) upload(w http.ResponseWriter, r *http.Request) {
	if !a.permit(w, r, wire.ScopeWrite) {
		return
	}
	select {
	case a.uploads <- struct{}{}:
		defer func() { <-a.uploads }()
	default:
		busy(w)
		return
	}
	who, err := a.authenticate(r)
	if err == nil {
		var p wire.Package
		q := r.URL.Query()
		p = wire.Package{ID: q.Get("id"), Name: q.Get("name"), Kind: q.Get("kind")}
		if old, err := a.Site.Package(r.Context(), p.ID); err == nil { // the next version keeps the choice (DOP-5)
			p.PackageShare, p.Description = old.PackageShare, old.Description
		}
		p, err = a.takeUpload(site.WithActor(r.Context(), who.Name), w, r.Body, p)
		if err == nil {
			writeJSON(w, http.StatusCreated, p)
			return
		}
	}
	var p *wire.Problem
	if !errors.As(a.fail(r.Context(), err), &p) {
		p = noToken()
	}
	writeProblem(w, p)
}

func (a *API) takeUpload(ctx context.Context, w http.ResponseWriter, body io.Reader, p wire.Package) (wire.Package, error) {
	if a.Staging == "" {
		return p, &wire.Problem{Title: "Forbidden", Status: 403, Detail: "this appliance takes no uploads", Remedy: "copy the files to it and use `bootyard package create`"}
	}
	if p.Name == "" && p.ID == "" {
		return p, &wire.Problem{Title: "Unprocessable Entity", Status: 422, Field: "name", Detail: "a package needs a name", Remedy: "give one in the query"}
	}
	if err := os.MkdirAll(a.Staging, 0o700); err != nil {
		return p, fmt.Errorf("make staging folder: %w", err)
	}
	dir, err := os.MkdirTemp(a.Staging, "upload-*")
	if err != nil {
		return p, fmt.Errorf("make staging folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	source := &lively{r: io.LimitReader(body, maxUploadBytes), control: http.NewResponseController(w)}
	if err := unpack(source, dir); err != nil {
		return p, err
	}
	return a.Site.ImportPackage(ctx, p, dir)
}

// lively moves the connection's read deadline on as long as bytes come.
type lively struct {
	r       io.Reader
	control *http.ResponseController
}

func (l *lively) Read(p []byte) (int, error) {
	_ = l.control.SetReadDeadline(time.Now().Add(uploadStall))
	return l.r.Read(p)
}

// unpack writes the regular files of a tar archive below dir. os.Root keeps
// every name inside, whatever the archive says.
func unpack(source io.Reader, dir string) error {
	box, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open staging folder: %w", err)
	}
	defer func() { _ = box.Close() }()
	bad := func(detail string) error {
		return &wire.Problem{Title: "Unprocessable Entity", Status: 422, Field: "body", Detail: detail, Remedy: "send a tar archive of regular files, e.g. made by `tar -C DIR -c .`"}
	}
	archive := tar.NewReader(source)
	for files := 0; ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			if files == 0 {
				return bad("the archive holds no file")
			}
			return nil
		}
		if err != nil {
			return bad("the archive cannot be read: " + err.Error())
		}
		if h.Typeflag != tar.TypeReg {
			if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader {
				continue
			}
			return bad(fmt.Sprintf("%q is neither a file nor a folder", h.Name))
		}
		name := path.Clean(strings.TrimPrefix(h.Name, "./"))
		if !filepath.IsLocal(name) || name == "." {
			return bad(fmt.Sprintf("%q leaves the package's folder", h.Name))
		}
		if files++; files > maxUploadFiles {
			return bad(fmt.Sprintf("more than %d files", maxUploadFiles))
		}
		if err := writeFile(box, name, archive); err != nil {
			return err
		}
	}
}

func writeFile(box *os.Root, name string, from io.Reader) error {
	if dir := path.Dir(name); dir != "." {
		if err := box.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("unpack %s: %w", name, err)
		}
	}
	file, err := box.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	_, err = io.Copy(file, from)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	return nil
}
