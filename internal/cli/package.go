package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

// packageSource names a folder on the appliance; only the unix socket may.
type packageSource struct {
	ID          string `json:"id,omitempty"`
	Name        string `json:"name,omitempty"`
	Kind        string `json:"kind,omitempty"`
	Description string `json:"description,omitempty"`
	Dir         string `json:"dir"`
}

var packageTable = table[wire.Package]{
	empty:  "no packages: make one with 'bootyard package create NAME DIR'",
	header: []any{"ID", "NAME", "KIND", "VERSION", "FILES", "SIZE", "UPDATED"},
	cells: func(p wire.Package) []any {
		return []any{p.ID, p.Name, p.Kind, p.Version, p.Files, size(p.Size), when(&p.Updated)}
	},
}

func newPackageCommand(env *environment) *cobra.Command {
	create := packageImport(env, "create NAME DIR", "Make a package from the files of a folder", "package")
	create.Long = `Make a package from the files of a folder. On the appliance the folder is read in
place; with --url the files are sent to it.`
	create.Example = "  bootyard package create Tools ./tools"
	update := &cobra.Command{
		Use: "update PACKAGE DIR", Short: "Take a folder's present content as the package's next version", Args: cobra.ExactArgs(2),
		Example: "  bootyard package update BYD00004 ./tools",
		RunE: func(cmd *cobra.Command, args []string) error {
			if env.remote() != "" {
				return env.upload(cmd.Context(), url.Values{"id": {args[0]}}, args[1])
			}
			return env.importFolder(cmd, "/packages/"+esc(args[0])+"/update", packageSource{}, args[1])
		},
	}
	unshared := false
	share := &cobra.Command{
		Use: "share PACKAGE", Short: "Copy a package to the package share, from which deployments may run it in place (DOP-5)", Args: cobra.ExactArgs(1),
		Long: `Copy a package, or a boot image by its id, to the package share of the distribution point, so that deployments
with the option DirectFromDP may run it in place. It costs disk for a second copy,
and what is run from there is not verified (DOP-15). The appliance offers a share
when share.enabled is set in its configuration.`,
		Example: "  bootyard package share BYD00004\n  bootyard package share BYD00004 --off",
		RunE: func(cmd *cobra.Command, args []string) error {
			action := "/share"
			if unshared {
				action = "/unshare"
			}
			p, err := post[wire.Package](cmd.Context(), env, "/packages/"+esc(args[0])+action, nil)
			if err != nil {
				return err
			}
			return env.printPackage(p)
		},
	}
	share.Flags().BoolVar(&unshared, "off", false, "take it out of the share")
	return group("package", "Content that sequences use",
		list(env, "List packages and images", "/packages", packageTable), create, update, share,
		newPackageDistributeCommand(env), newPackageVerifyCommand(env),
		newPackageDeleteCommand(env), newProgramCommand(env))
}

func newPackageDeleteCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "delete PACKAGE", Short: "Remove a package and free its bytes; sequences that need it cannot be deployed any more", Args: cobra.ExactArgs(1),
		Long: `Remove a package and free its bytes. A file that another package holds too stays
for that one. It is refused while a run needs the package, or while it is being
updated. Task sequences that need it cannot be deployed any more.`,
		Example: "  bootyard package delete BYD00004",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := call[wire.PackageDeleted](cmd.Context(), env, http.MethodDelete, "/packages/"+esc(args[0]), nil)
			if err != nil {
				return err
			}
			return env.print(d, func(w *tabwriter.Writer) {
				switch {
				case d.Kept != "":
					fmt.Fprintf(w, "package %s deleted; %s\n", d.ID, oneLine(d.Kept))
				case d.Files == 0:
					fmt.Fprintf(w, "package %s deleted; nothing freed: other packages hold all its files\n", d.ID)
				default:
					fmt.Fprintf(w, "package %s deleted; freed %d bytes (%s) in %d files\n", d.ID, d.Bytes, size(d.Bytes), d.Files)
				}
			})
		},
	}
}

// newPackageDistributeCommand says how things are: the appliance is the one
// distribution point, and what is in its library is distributed.
func newPackageDistributeCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "distribute PACKAGE", Short: "Say where a package is distributed to: so far only the appliance itself", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := get[wire.Package](cmd.Context(), env, "/packages/"+esc(args[0]))
			if err != nil {
				return err
			}
			type place struct {
				Package string `json:"package"`
				Version int    `json:"version"`
				Point   string `json:"distributionPoint"`
			}
			return env.print([]place{{p.ID, p.Version, "appliance"}}, func(w *tabwriter.Writer) {
				fmt.Fprintf(w, "%s version %d is on the appliance, which is the only distribution point so far: there is nothing to send\n", p.ID, p.Version)
			})
		},
	}
}

// verification is the library's report on a package.
type verification struct {
	PackageID string `json:"packageId"`
	Version   int    `json:"version"`
	Files     int    `json:"files"`
	Bytes     int64  `json:"bytes"`
	Bad       []struct {
		Path     string `json:"path"`
		Expected string `json:"expected"`
		Got      string `json:"got,omitempty"`
		Missing  bool   `json:"missing,omitempty"`
	} `json:"bad,omitempty"`
}

func newPackageVerifyCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "verify PACKAGE", Short: "Hash the package's files again and name those that differ (DOP-21)", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := post[verification](cmd.Context(), env, "/packages/"+esc(args[0])+"/verify", nil)
			if err != nil {
				return err
			}
			if err := env.print(r, func(w *tabwriter.Writer) {
				for _, b := range r.Bad {
					row(w, "MEND", b.Path, map[bool]string{true: "is missing", false: "differs from its hash"}[b.Missing])
				}
				if len(r.Bad) == 0 {
					fmt.Fprintf(w, "%s version %d: %d files, %s, every file matches its hash\n", r.PackageID, r.Version, r.Files, size(r.Bytes))
				}
			}); err != nil || len(r.Bad) == 0 {
				return err
			}
			return fmt.Errorf("%d of %d files of %s are damaged and machines refuse them: take them anew with 'bootyard package update %s DIR'", len(r.Bad), r.Files, r.PackageID, r.PackageID)
		},
	}
}

// packageImport makes a package or image of a folder or file, here or there.
func packageImport(env *environment, use, short, kind string) *cobra.Command {
	in := packageSource{Kind: kind}
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			if env.remote() == "" {
				return env.importFolder(cmd, "/packages", in, args[1])
			}
			if in.Description != "" {
				return usageError{errors.New("a description is taken on the appliance only: leave --description out")}
			}
			return env.upload(cmd.Context(), url.Values{"name": {in.Name}, "kind": {in.Kind}}, args[1])
		},
	}
	c.Flags().StringVar(&in.Description, "description", "", "description")
	if kind == wire.KindPackage {
		c.Flags().StringVar(&in.Kind, "kind", kind, "package, driverPackage, osImage, bootImage or upgradePackage, or its number in an export (TS-139)")
	}
	return c
}

// importFolder has the appliance read a folder or file of its own machine.
func (env *environment) importFolder(cmd *cobra.Command, path string, in packageSource, source string) error {
	abs, err := filepath.Abs(source)
	if err != nil {
		return fmt.Errorf("find %s: %w", source, err)
	}
	if _, err := os.Stat(abs); err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	in.Dir = abs
	progress := env.progress()
	progress.show("storing " + abs + " in the content library")
	defer progress.end()
	p, err := post[wire.Package](cmd.Context(), env, path, in)
	if err != nil {
		return err
	}
	return env.printPackage(p)
}

func (env *environment) printPackage(p wire.Package) error {
	return env.print(p, func(w *tabwriter.Writer) {
		row(w, p.ID, p.Name, p.Kind, fmt.Sprint("version ", p.Version), fmt.Sprint(p.Files, " files"), size(p.Size))
	})
}
