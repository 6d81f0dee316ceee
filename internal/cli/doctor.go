package cli

import (
	"fmt"
	"os/exec"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/config"
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
		Use: "doctor", Short: "Check what the appliance needs and say what to mend", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := examine(cmd, env, file)
			bad := 0
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

func examine(cmd *cobra.Command, env *environment, file string) []finding {
	var out []finding
	add := func(check string, err error, good string) {
		f := finding{Check: check, OK: err == nil, Detail: good}
		if err != nil {
			f.Detail = err.Error()
		}
		out = append(out, f)
	}
	_, err := config.Load(file)
	add("configuration", err, file)
	for tool, pkg := range map[string]string{
		"grub-mkstandalone": "grub-common", "grub-mkrescue": "grub-common", "xorriso": "xorriso", "mformat": "mtools", "zstd": "zstd",
	} {
		path, err := exec.LookPath(tool)
		if err != nil {
			err = fmt.Errorf("%s is missing: install the Debian package %s", tool, pkg)
		}
		add("tool "+tool, err, path)
	}
	catalog, err := loader.Build(cmd.Context(), loader.Config{Cache: cmdCache()})
	add("loaders", err, "")
	if err == nil {
		for _, l := range catalog.List() {
			add("loader "+l.Name, nil, fmt.Sprintf("%s %s, for %s, SHA-256 %s", l.Package, l.Version, l.For, l.SHA256))
		}
		for _, missing := range catalog.Missing() {
			add("loader", missing, "")
		}
	}
	images, err := get[[]wire.BootImage](cmd.Context(), env, "/boot-images")
	if err == nil && len(images) == 0 {
		err = fmt.Errorf("no boot image: make one with 'bootyard image boot build'")
	}
	add("appliance and boot image", err, fmt.Sprintf("%d boot image(s)", len(images)))
	return out
}

func cmdCache() string { return defaultCache + "/loaders" }
