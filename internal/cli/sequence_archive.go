package cli

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/client"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// exportKinds are the numbers that an export gives the site's kinds of packages (TS-139). Boot images are files of the appliance
// and no content, so they are named in an export and not taken along.
var exportKinds = map[string]sequence.PackageType{wire.KindPackage: sequence.StandardPackage, wire.KindDriverPackage: sequence.DriverPackage,
	wire.KindOSImage: sequence.ImagePackage, wire.KindUpgradePackage: sequence.UpgradePackage}

// siteKind is the site's kind for a number of an export; empty for what is no content of the site.
func siteKind(t sequence.PackageType) string {
	for kind, number := range exportKinds {
		if number == t {
			return kind
		}
	}
	return ""
}

// filesFolder is where the content of an export lies: NAME_files beside NAME.zip (TS-175).
func filesFolder(zip string) string { return strings.TrimSuffix(zip, filepath.Ext(zip)) + "_files" }

// exportArchive writes a sequence, the sequences it runs and the packages they need to a zip, with the content beside it when
// that is asked for.
func (env *environment) exportArchive(ctx context.Context, ref, out string, content bool) error {
	if out == "" {
		return wrongUsage("--format zip needs a file: name it with --out")
	}
	e, err := env.gatherExport(ctx, ref)
	if err != nil {
		return err
	}
	if content {
		for _, p := range e.Packages {
			if err := env.fetchContent(ctx, p, filepath.Join(filesFolder(out), p.ID)); err != nil {
				return err
			}
			env.say("%s  %s", p.ID, oneLine(p.Name))
		}
	}
	var b bytes.Buffer
	if err := sequence.WriteExport(&b, e); err != nil {
		return err
	}
	return env.deliver(out, b.Bytes())
}

// gatherExport follows the references of a sequence. What is not at the site stays an open reference, and is said.
func (env *environment) gatherExport(ctx context.Context, ref string) (e sequence.Export, err error) {
	seen := map[string]bool{}
	var visit func(ref string) error
	visit = func(ref string) error {
		s, err := get[wire.Sequence](ctx, env, "/sequences/"+esc(ref))
		if err != nil {
			return err
		}
		if seen[s.ID] {
			return nil
		}
		seen[s.ID] = true
		parsed, err := env.fetchSequence(ctx, s.ID)
		if err != nil {
			return err
		}
		for _, r := range s.References {
			switch {
			case seen[r.ID]:
			case r.Kind == "sequence":
				if err := visit(r.ID); err != nil && !notFound(err) {
					return err
				} else if err != nil {
					env.say("task sequence %s is not here: the reference stays open", r.ID)
				}
			case r.Kind == "package":
				p, err := get[wire.Package](ctx, env, "/packages/"+esc(r.ID))
				if notFound(err) {
					env.say("package %s is not here: the reference stays open", r.ID)
					continue
				} else if err != nil {
					return err
				}
				seen[r.ID] = true
				if number, ok := exportKinds[p.Kind]; ok {
					e.Packages = append(e.Packages, sequence.ExportedPackage{ID: p.ID, Name: p.Name, Description: p.Description, Type: number})
				}
			}
		}
		e.Sequences = append(e.Sequences, sequence.ExportedSequence{Sequence: parsed, ID: s.ID, Name: s.Name, BootImage: s.BootImage})
		return nil
	}
	return e, visit(ref)
}

func notFound(err error) bool {
	var p *wire.Problem
	return errors.As(err, &p) && p.Status == 404
}

// fetchContent writes the files of a package below dir, which must not hold any before.
func (env *environment) fetchContent(ctx context.Context, p sequence.ExportedPackage, dir string) error {
	record, err := get[wire.Package](ctx, env, "/packages/"+esc(p.ID))
	if err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s holds files already: remove it, or choose another name for the export", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	box, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	defer box.Close()
	c, err := env.client()
	if err != nil {
		return err
	}
	files, size, err := receive(ctx, c, p.ID, box)
	if err == nil && (files != record.Files || size != record.Size) {
		err = fmt.Errorf("%d of %d files came: the appliance's log says why", files, record.Files)
	}
	if err != nil {
		return fmt.Errorf("content of package %s: %w", p.ID, err)
	}
	return nil
}

func receive(ctx context.Context, c *client.Client, id string, box *os.Root) (files int, size int64, err error) {
	body, err := c.Stream(ctx, apiRoot+"/packages/"+esc(id)+"/content")
	if err != nil {
		return 0, 0, err
	}
	defer body.Close()
	for archive := tar.NewReader(body); ; files++ {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, size, nil
		}
		if err != nil {
			return files, size, err
		}
		if err := box.MkdirAll(path.Dir(path.Clean(h.Name)), 0o755); err != nil {
			return files, size, err
		}
		f, err := box.OpenFile(path.Clean(h.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return files, size, err
		}
		n, err := io.Copy(f, archive)
		if err = errors.Join(err, f.Close()); err != nil {
			return files, size, err
		}
		size += n
	}
}

// Ways to deal with an object of an import that is there already (TS-175).
const (
	duplicatesIgnore    = "ignore"
	duplicatesOverwrite = "overwrite"
	duplicatesNew       = "new"
)

// importPackages takes the packages that an export brought along, where their content lies beside the zip.
func (env *environment) importPackages(cmd *cobra.Command, file, duplicates string, packages []sequence.ExportedPackage) error {
	for _, p := range packages {
		kind := siteKind(p.Type)
		if kind == "" {
			env.say("%s  %s: boot images are not taken over, register one with 'bootyard image boot build'", p.ID, oneLine(p.Name))
			continue
		}
		folder := filepath.Join(filesFolder(file), filepath.Base(p.ID))
		_, missing := os.Stat(folder)
		_, err := get[wire.Package](cmd.Context(), env, "/packages/"+esc(p.ID))
		there := err == nil
		switch {
		case err != nil && !notFound(err):
			return err
		case there && duplicates != duplicatesOverwrite:
			env.say("%s  %s: is here already and stays as it is", p.ID, oneLine(p.Name))
			continue
		case missing != nil:
			env.say("%s  %s: its content is not in %s, so the reference stays open", p.ID, oneLine(p.Name), filesFolder(file))
			continue
		}
		if err := env.importPackage(cmd, p, kind, folder, there); err != nil {
			return fmt.Errorf("package %s of %s: %w", p.ID, file, err)
		}
	}
	return nil
}

func (env *environment) importPackage(cmd *cobra.Command, p sequence.ExportedPackage, kind, folder string, there bool) error {
	if env.remote() != "" {
		return env.upload(cmd.Context(), url.Values{"id": {p.ID}, "name": {p.Name}, "kind": {kind}}, folder)
	}
	if there {
		return env.importFolder(cmd, "/packages/"+esc(p.ID)+"/update", packageSource{}, folder)
	}
	return env.importFolder(cmd, "/packages", packageSource{ID: p.ID, Name: p.Name, Kind: kind, Description: p.Description}, folder)
}
