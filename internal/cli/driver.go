package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/content/inf"
	"github.com/bootyard/bootyard/internal/wire"
)

// maxDriverFolders bounds one import.
const maxDriverFolders = 2000

func newDriverCommand(env *environment) *cobra.Command {
	return group("driver", "Drivers of Windows that Auto Apply Drivers chooses from",
		newDriverImportCommand(env),
		list(env, "List the catalogue of drivers", "/drivers", table[wire.DriverPackage]{
			empty:  "no drivers: import some with 'bootyard driver import NAME DIR'",
			header: []any{"PACKAGE", "NAME", "CLASS", "PROVIDER", "VERSION", "DATE", "IDS", "CATEGORIES"},
			cells: func(p wire.DriverPackage) []any {
				newest, ids := wire.Driver{}, 0
				for _, d := range p.Drivers {
					if ids += d.Devices; !d.Date.Before(newest.Date) {
						newest = d
					}
				}
				date := ""
				if !newest.Date.IsZero() {
					date = newest.Date.Format("2006-01-02")
				}
				return []any{p.Package, p.Name, newest.Class, newest.Provider, newest.Version, date, ids, strings.Join(p.Categories, ",")}
			},
		}),
		&cobra.Command{
			Use: "show PACKAGE", Short: "Show the drivers of a package and the ids that they serve", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				p, err := get[wire.DriverPackage](cmd.Context(), env, "/drivers/"+esc(args[0]))
				if err != nil {
					return err
				}
				return env.print(p, func(w *tabwriter.Writer) {
					for _, d := range p.Drivers {
						row(w, d.INF, d.Class, d.Provider, d.Version)
						for _, m := range d.Models {
							row(w, "  "+m.ID, m.Arch, m.Name)
						}
					}
				})
			},
		},
		&cobra.Command{
			Use: "category PACKAGE [CATEGORY]...", Short: "Replace the categories of a driver package; without any it has none", Args: cobra.MinimumNArgs(1),
			Example: "  bootyard driver category BYD00004 'Laptop 14' Network",
			RunE: func(cmd *cobra.Command, args []string) error {
				p, err := env.categorise(cmd.Context(), args[0], args[1:])
				if err != nil {
					return err
				}
				return env.print(p, func(w *tabwriter.Writer) { row(w, p.Package, p.Name, strings.Join(p.Categories, ",")) })
			},
		})
}

func (env *environment) categorise(ctx context.Context, id string, categories []string) (wire.DriverPackage, error) {
	return call[wire.DriverPackage](ctx, env, http.MethodPut, "/drivers/"+esc(id)+"/categories", wire.DriverCategories{Categories: append([]string{}, categories...)})
}

func newDriverImportCommand(env *environment) *cobra.Command {
	var categories []string
	c := &cobra.Command{
		Use: "import NAME DIR", Short: "Take drivers into the catalogue: each folder with an INF file becomes a package", Args: cobra.ExactArgs(2),
		Long: `Take drivers into the catalogue. Each folder below DIR with the INF file of a driver
becomes a package of its own, with what is below it, so that a machine downloads only
the drivers that it needs. Apply Driver Package can use such a package too.`,
		Example: "  bootyard driver import 'Laptop 14' ./drivers --category 'Laptop 14'",
		RunE: func(cmd *cobra.Command, args []string) error {
			folders, err := driverFolders(args[1])
			if err != nil {
				return err
			}
			made := []wire.DriverPackage{}
			for _, rel := range folders {
				p, err := env.importDrivers(cmd.Context(), path.Join(args[0], rel), filepath.Join(args[1], filepath.FromSlash(rel)))
				if err != nil {
					return fmt.Errorf("%s: %w", rel, err)
				}
				d, err := env.categorise(cmd.Context(), p.ID, categories)
				if err != nil {
					return err
				}
				made = append(made, d)
			}
			return env.print(made, func(w *tabwriter.Writer) {
				for _, d := range made {
					row(w, d.Package, d.Name, fmt.Sprint(len(d.Drivers), " drivers"))
				}
			})
		},
	}
	c.Flags().StringArrayVar(&categories, "category", nil, "category of these drivers, again for each")
	return c
}

// importDrivers makes a package of one folder, here or there.
func (env *environment) importDrivers(ctx context.Context, name, dir string) (wire.Package, error) {
	if env.remote() != "" {
		return env.send(ctx, url.Values{"name": {name}, "kind": {wire.KindDriverPackage}}, dir)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return wire.Package{}, fmt.Errorf("find %s: %w", dir, err)
	}
	return post[wire.Package](ctx, env, "/packages", packageSource{Name: name, Kind: wire.KindDriverPackage, Dir: abs})
}

// driverFolders are the folders below dir, with /, in which a driver's INF file is and above which none is: what is below
// belongs to that driver.
func driverFolders(dir string) ([]string, error) {
	var list []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		has, err := holdsDriver(name)
		if err != nil || !has {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if list = append(list, filepath.ToSlash(rel)); len(list) > maxDriverFolders {
			return fmt.Errorf("more than %d folders with drivers: import them in parts", maxDriverFolders)
		}
		return filepath.SkipDir
	})
	if err != nil {
		return nil, fmt.Errorf("look for drivers: %w", err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no INF file of a driver is below %s: unpack the maker's installer first", dir)
	}
	return list, nil
}

func holdsDriver(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.EqualFold(filepath.Ext(e.Name()), ".inf") {
			continue
		}
		is, err := isDriver(filepath.Join(dir, e.Name()))
		if err != nil || is {
			return is, err
		}
	}
	return false, nil
}

func isDriver(name string) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, inf.MaxSize+1))
	if err != nil {
		return false, err
	}
	if _, err = inf.Parse(data); errors.Is(err, inf.ErrNotDriver) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}
