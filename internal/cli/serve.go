package cli

import (
	"fmt"
	"log/slog"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/appliance"
	"github.com/bootyard/bootyard/internal/config"
)

func newServeCommand(env *environment) *cobra.Command {
	var file, format string
	var verbose bool
	c := &cobra.Command{
		Use: "serve --config bootyard.yaml", Short: "Run the appliance", Args: cobra.NoArgs,
		Long: `Run the appliance until it is interrupted: DHCP, TFTP, HTTP, the API and the live
page, as the configuration says. The log goes to standard error. Needs root for
DHCP and TFTP. 'bootyard config check' says what a configuration does to the
network before you start it.`,
		Example: "  bootyard serve --config /etc/bootyard/bootyard.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return wrongUsage("--log-format %q is not text or json", format)
			}
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			level := slog.LevelInfo
			if verbose {
				level = slog.LevelDebug
			}
			var handler slog.Handler = slog.NewTextHandler(env.err, &slog.HandlerOptions{Level: level})
			if format == "json" {
				handler = slog.NewJSONHandler(env.err, &slog.HandlerOptions{Level: level})
			}
			return appliance.Run(cmd.Context(), cfg, slog.New(handler))
		},
	}
	c.Flags().StringVar(&file, "config", "/etc/bootyard/bootyard.yaml", "configuration file")
	c.Flags().StringVar(&format, "log-format", "text", "text or json")
	c.Flags().BoolVar(&verbose, "verbose", false, "log every packet")
	return c
}

func newConfigCommand(env *environment) *cobra.Command {
	var file string
	check := &cobra.Command{
		Use: "check", Short: "Check a configuration file and show what it means", Args: cobra.NoArgs,
		Example: "  bootyard config check --config bootyard.yaml",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			text, err := cfg.Explain()
			if err != nil {
				return err
			}
			return env.print(map[string]string{"file": file, "means": text}, func(w *tabwriter.Writer) { fmt.Fprintln(w, text) })
		},
	}
	check.Flags().StringVar(&file, "config", "/etc/bootyard/bootyard.yaml", "configuration file")
	return group("config", "The configuration file", check)
}
