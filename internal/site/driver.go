package site

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/content/inf"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// maxINF bounds the INF files of one package; a maker's package for all models has some thousand.
	maxINF        = 5000
	maxCategories = 50
)

// autoApply is the type of the step that asks for drivers, as sequences write it.
const autoApply = "SMS_TaskSequence_AutoApplyAction"

// readDrivers reads the INF files below dir. Other INF files, such as autorun.inf, do not count.
func (s *Service) readDrivers(ctx context.Context, dir string) ([]wire.Driver, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read drivers: %w", err)
	}
	defer func() { _ = root.Close() }() // only read from
	list, files := []wire.Driver{}, 0
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.EqualFold(path.Ext(name), ".inf") {
			return err
		}
		if files++; files > maxINF {
			return invalid("", "dir", fmt.Sprintf("more than %d INF files in one package", maxINF), "import the drivers in parts")
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, inf.MaxSize+1))
		if err != nil {
			return err
		}
		driver, err := inf.Parse(data)
		switch {
		case errors.Is(err, inf.ErrNotDriver):
			return nil
		case err != nil:
			s.Log.Warn("INF file left out of the catalogue of drivers", "file", name, "err", err)
			return nil
		}
		list = append(list, record(name, driver))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read drivers: %w", err)
	}
	return list, nil
}

func record(name string, d inf.Driver) wire.Driver {
	out := wire.Driver{INF: name, Class: printable(d.Class, 80), Provider: printable(d.Provider, 255), Catalog: printable(d.Catalog, 255),
		Version: printable(d.Version, 40), Date: d.Date, Devices: len(d.Models)}
	for _, m := range d.Models {
		out.Models = append(out.Models, wire.DriverModel{Name: printable(m.Name, 255), ID: m.ID, Arch: m.Arch, Build: m.Build})
	}
	return out
}

// keepDrivers puts a driver package into the catalogue; its categories stay.
func keepDrivers(tx *store.Tx, p wire.Package, list []wire.Driver) error {
	if p.Kind != wire.KindDriverPackage {
		return nil
	}
	old, err := tx.Drivers(p.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if old.Categories == nil {
		old.Categories = []string{}
	}
	return tx.PutDrivers(wire.DriverPackage{Package: p.ID, Name: p.Name, Categories: old.Categories, Drivers: list})
}

// DriverPackages lists the catalogue of drivers, without the ids that they serve.
func (s *Service) DriverPackages(ctx context.Context) (list []wire.DriverPackage, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.AllDrivers()
		return err
	})
	for i := range list {
		for k := range list[i].Drivers {
			list[i].Drivers[k].Models = nil
		}
	}
	return list, err
}

// DriverPackage is one package of the catalogue, with all ids.
func (s *Service) DriverPackage(ctx context.Context, id string) (d wire.DriverPackage, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		d, err = tx.Drivers(id)
		return noDrivers(err, id)
	})
	return d, err
}

func noDrivers(err error, id string) error {
	return orMissing(err, "package", fmt.Sprintf("no driver package has the id %q", printable(id, 40)), "see `bootyard driver list`")
}

// SetDriverCategories replaces the categories of a driver package.
func (s *Service) SetDriverCategories(ctx context.Context, id string, categories []string) (d wire.DriverPackage, err error) {
	list := []string{}
	for _, c := range categories {
		c = strings.TrimSpace(c)
		if c == "" || len(c) > 100 || printable(c, 100) != c || strings.ContainsAny(c, ",;") {
			return d, invalid("", "categories", fmt.Sprintf("%q is no category: 1 to 100 characters without commas and semicolons", printable(c, 100)), "choose another name")
		}
		if !slices.ContainsFunc(list, func(have string) bool { return strings.EqualFold(have, c) }) {
			list = append(list, c)
		}
	}
	if len(list) > maxCategories {
		return d, invalid("", "categories", fmt.Sprintf("a driver package has at most %d categories", maxCategories), "leave some out")
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if d, err = tx.Drivers(id); err != nil {
			return noDrivers(err, id)
		}
		d.Categories = list
		if err := tx.PutDrivers(d); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("categories of driver package %s: %s", id, strings.Join(list, ", "))})
	})
	return d, err
}

// DriverOffers answers Auto Apply Drivers. The device must have an active run whose sequence has that step.
func (s *Service) DriverOffers(ctx context.Context, who Session, q wire.DriverQuery) (out wire.DriverAnswer, err error) {
	out.Drivers = []wire.DriverOffer{}
	if len(q.IDs) > wire.MaxDriverIDs || len(q.Categories) > maxCategories {
		return out, invalid("", "ids", fmt.Sprintf("at most %d ids and %d categories can be asked for", wire.MaxDriverIDs, maxCategories), "")
	}
	asked := map[string]string{}
	for _, id := range q.IDs {
		asked[strings.ToLower(id)] = id
	}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		run, err := tx.ActiveRun(who.Device)
		if err != nil {
			return orMissing(err, "run", "this machine has no active run", "start its deployment again")
		}
		may, err := autoApplies(tx, run)
		if err != nil {
			return err
		}
		if !may {
			return missing("drivers", "the task sequence of this run has no Auto Apply Drivers step", "add one")
		}
		all, err := tx.AllDrivers()
		for _, p := range all {
			if inCategories(p.Categories, q.Categories) {
				out.Drivers = append(out.Drivers, offers(p, asked, q.Arch)...)
			}
		}
		return err
	})
	return out, err
}

// offers are the drivers of a package that serve an id that is asked for.
func offers(p wire.DriverPackage, asked map[string]string, arch string) (list []wire.DriverOffer) {
	for _, d := range p.Drivers {
		o := wire.DriverOffer{Package: p.Package, Name: p.Name + ": " + d.INF, Version: d.Version, Date: d.Date}
		for _, m := range d.Models {
			if id, ok := asked[strings.ToLower(m.ID)]; ok && (arch == "" || m.Arch == arch) && !slices.Contains(o.IDs, id) {
				o.IDs = append(o.IDs, id)
			}
		}
		if len(o.IDs) > 0 {
			list = append(list, o)
		}
	}
	return list
}

func inCategories(have, wanted []string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(have, func(c string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(strings.TrimSpace(w), c) })
	})
}

// autoApplies says whether a run may ask for drivers: its sequence, or one of its children, has the step.
func autoApplies(tx *store.Tx, run store.Run) (bool, error) {
	versions := map[string]int{run.Sequence: run.SequenceVersion}
	for id, version := range run.Children {
		versions[id] = version
	}
	for id, version := range versions {
		xml, err := tx.SequenceXML(id, version)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		if strings.Contains(xml, autoApply) {
			return true, nil
		}
	}
	return false, nil
}

// mayHaveForDrivers says whether a run may need a package because its devices may want the drivers in it.
func mayHaveForDrivers(tx *store.Tx, run store.Run, id string) (bool, error) {
	if _, err := tx.Drivers(id); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return false, err
	}
	return autoApplies(tx, run)
}
