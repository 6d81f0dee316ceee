package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/config"
	"github.com/bootyard/bootyard/internal/packageshare"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/pxe/loader"
)

type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func newDoctorCommand(env *environment) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "doctor", Short: "Check what the appliance needs and say what to mend", Args: cobra.NoArgs,
		Long: `Check what the appliance needs on this machine (configuration, programs, loaders,
boot image, the appliance itself) and say what to mend. Exit code 1 when something
is to be mended.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings, bad := env.examine(cmd.Context(), file), 0
			for _, f := range findings {
				if !f.OK {
					bad++
				}
			}
			err := env.print(findings, func(w *tabwriter.Writer) {
				for _, f := range findings {
					mark := "ok"
					if !f.OK {
						mark = "MEND"
					}
					row(w, mark, f.Check, f.Detail)
				}
			})
			if err == nil && bad > 0 {
				err = fmt.Errorf("%d thing(s) to mend", bad)
			}
			return err
		},
	}
	c.Flags().StringVar(&file, "config", "/etc/bootyard/bootyard.yaml", "configuration file")
	return c
}

// tools are the programs that the appliance starts, with their Debian package.
var tools = []struct{ program, pkg string }{
	{"grub-mkstandalone", "grub-common"}, {"grub-mkrescue", "grub-common"}, {"mformat", "mtools"}, {"xorriso", "xorriso"}, {"zstd", "zstd"},
}

func (env *environment) examine(ctx context.Context, file string) []finding {
	var out []finding
	add := func(check string, err error, good string) {
		f := finding{Check: check, OK: err == nil, Detail: good}
		if err != nil {
			f.Detail = err.Error()
		}
		out = append(out, f)
	}
	cfg, err := config.Load(file)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: write one (three lines are enough), or name it with --config", err)
	}
	add("configuration", err, file)
	for _, t := range tools {
		path, err := exec.LookPath(t.program)
		if err != nil {
			err = fmt.Errorf("%s is missing: install the Debian package %s", t.program, t.pkg)
		}
		add("tool "+t.program, err, path)
	}
	if cfg != nil && cfg.Share.Enabled {
		path, err := packageshare.Program()
		add("package share", err, path)
	}
	cache := filepath.Join(defaultCache, "loaders")
	if cfg != nil {
		cache = filepath.Join(cfg.DataDir, "loaders")
	}
	catalog, err := loader.Build(ctx, loader.Config{Cache: cache})
	if err != nil {
		add("loaders", err, "")
	} else {
		for _, l := range catalog.List() {
			add("loader "+l.Name, nil, fmt.Sprintf("%s %s, for %s, SHA-256 %s", l.Package, l.Version, l.For, l.SHA256))
		}
		for _, missing := range catalog.Missing() {
			add("loader", missing, "")
		}
	}
	images, err := get[[]wire.BootImage](ctx, env, "/boot-images")
	add("appliance", err, "answers")
	if err == nil {
		if len(images) == 0 {
			err = errors.New("there is none: make one with 'bootyard image boot build'")
		}
		add("boot image", err, fmt.Sprintf("%d registered", len(images)))
	}
	return out
}
