package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

// packageSource names a folder on the appliance; only the unix socket may.
type packageSource struct {
	Name        string `json:"name,omitempty"`
	Kind        string `json:"kind,omitempty"`
	Description string `json:"description,omitempty"`
	Dir         string `json:"dir"`
}

func newPackageCommand(env *environment) *cobra.Command {
	verify := &cobra.Command{
		Use: "verify PACKAGE", Short: "Hash the package's files again and name those that differ", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var report json.RawMessage
			c, err := env.client()
			if err != nil {
				return err
			}
			if err := c.Do(cmd.Context(), http.MethodPost, apiRoot+"/packages/"+esc(args[0])+"/verify", nil, &report); err != nil {
				return err
			}
			if env.json {
				_, err = env.out.Write(append(report, '\n'))
				return err
			}
			env.say("every file matches its hash")
			return nil
		},
	}
	update := &cobra.Command{
		Use: "update PACKAGE DIR", Short: "Take a folder's present content as the package's next version", Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sendPackage(cmd, env, http.MethodPost, "/packages/"+esc(args[0])+"/update", packageSource{}, args[1])
		},
	}
	return group("package", "Content that sequences use",
		list(env, "list", "List packages and images", "/packages",
			[]any{"ID", "NAME", "KIND", "VERSION", "FILES", "SIZE"},
			func(p wire.Package) []any { return []any{p.ID, p.Name, p.Kind, p.Version, p.Files, size(p.Size)} }),
		packageImport(env, "create NAME DIR", "Make a package from a folder on the appliance", "package"),
		update, verify)
}

func newImageCommand(env *environment) *cobra.Command {
	return group("image", "Boot images and OS images",
		group("boot", "What machines boot to be deployed",
			newBootImageBuildCommand(env),
			list(env, "list", "List boot images", "/boot-images",
				[]any{"ID", "NAME", "ARCH", "SIZE", "READY", "DEFAULT"},
				func(b wire.BootImage) []any {
					return []any{b.ID, b.Name, b.Arch, size(b.Size), yes(b.Ready), yes(b.Default)}
				})),
		group("os", "What is applied to disks",
			newOSImageBuildCommand(env),
			packageImport(env, "import NAME FILE-OR-DIR", "Take an image (tar, tar.zst, squashfs) into the library", "osImage"),
			list(env, "list", "List packages and images", "/packages",
				[]any{"ID", "NAME", "KIND", "VERSION", "SIZE"},
				func(p wire.Package) []any { return []any{p.ID, p.Name, p.Kind, p.Version, size(p.Size)} })))
}

func packageImport(env *environment, use, short, kind string) *cobra.Command {
	in := packageSource{Kind: kind}
	c := &cobra.Command{
		Use: use, Short: short, Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			return sendPackage(cmd, env, http.MethodPost, "/packages", in, args[1])
		},
	}
	c.Flags().StringVar(&in.Description, "description", "", "description")
	return c
}

func sendPackage(cmd *cobra.Command, env *environment, method, path string, in packageSource, dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", dir, err)
	}
	if _, err := os.Stat(abs); err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	in.Dir = abs
	c, err := env.client()
	if err != nil {
		return err
	}
	var p wire.Package
	if err := c.Do(cmd.Context(), method, apiRoot+path, in, &p); err != nil {
		return err
	}
	return env.print(p, func(w *tabwriter.Writer) { row(w, p.ID, p.Name, p.Kind, p.Version, size(p.Size)) })
}

func newSequenceCommand(env *environment) *cobra.Command {
	export := &cobra.Command{
		Use: "export SEQUENCE", Short: "Print a sequence's XML", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.client()
			if err != nil {
				return err
			}
			body, err := c.Stream(cmd.Context(), apiRoot+"/sequences/"+esc(args[0])+"/export")
			if err != nil {
				return err
			}
			defer body.Close()
			_, err = io.Copy(env.out, body)
			return err
		},
	}
	return group("sequence", "Task sequences",
		list(env, "list", "List task sequences", "/sequences",
			[]any{"ID", "NAME", "STEPS", "BOOT IMAGE", "DEPLOYS OS", "CAN DEPLOY"},
			func(s wire.Sequence) []any {
				return []any{s.ID, s.Name, s.Steps, s.BootImage, yes(s.DeploysOS), yes(s.CanDeploy)}
			}),
		newSequenceImportCommand(env), export)
}

// maxSequence is the largest sequence file that is sent (TS-10 warns at 2 MB;
// UTF-16 and object.xml need more room).
const maxSequence = 16 << 20

func newSequenceImportCommand(env *environment) *cobra.Command {
	in := wire.SequenceImport{}
	c := &cobra.Command{
		Use: "import FILE...", Short: "Take task sequences from XML files", Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, file := range args {
				f, err := os.Open(file)
				if err != nil {
					return fmt.Errorf("open sequence: %w", err)
				}
				data, err := io.ReadAll(io.LimitReader(f, maxSequence))
				f.Close()
				if err != nil {
					return fmt.Errorf("read %s: %w", file, err)
				}
				one := in
				one.XML = string(data)
				s, err := post[wire.Sequence](cmd.Context(), env, "/sequences", one)
				if err != nil {
					return err
				}
				if err := env.print(s, func(w *tabwriter.Writer) {
					row(w, s.ID, s.Name, fmt.Sprint(s.Steps, " steps"))
					for _, r := range s.Invalid {
						row(w, "", "cannot be deployed: "+r.Text+inBrackets(r.Rule))
					}
				}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "name, unless the file has one")
	f.StringVar(&in.ID, "id", "", "keep this id if it is free")
	f.StringVar(&in.BootImage, "boot-image", "", "boot image id (a sequence without one deploys no OS)")
	f.BoolVar(&in.Replace, "replace", false, "replace the sequence of the same id")
	return c
}
