package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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
network before you start it.

SIGHUP has the file read again: pxe.exclude, pxe.networks, pxe.menu_timeout and
pxe.kernel_args are taken up at once, everything else needs a restart.`,
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
			log := slog.New(handler)
			return appliance.Run(cmd.Context(), cfg, log, env.reread(cmd.Context(), file, log))
		},
	}
	c.Flags().StringVar(&file, "config", "/etc/bootyard/bootyard.yaml", "configuration file")
	c.Flags().StringVar(&format, "log-format", "text", "text or json")
	c.Flags().BoolVar(&verbose, "verbose", false, "log every packet")
	return c
}

// reread reads the file again at every SIGHUP. One with a mistake changes nothing.
// At a terminal the signal means that the terminal is gone, and stops.
func (env *environment) reread(ctx context.Context, file string, log *slog.Logger) <-chan *config.Config {
	if f, ok := env.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return nil
	}
	asked, changed := hangups(ctx), make(chan *config.Config)
	go func() {
		for {
			select {
			case <-asked:
			case <-ctx.Done():
				return
			}
			cfg, err := config.Load(file)
			if err != nil {
				log.Error("configuration not read again; the one in use stays", "err", err)
				continue
			}
			select {
			case changed <- cfg:
			case <-ctx.Done():
				return
			}
		}
	}()
	return changed
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
