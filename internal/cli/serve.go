package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/appliance"
	"github.com/bootyard/bootyard/internal/config"
)

func newServeCommand(env *environment) *cobra.Command {
	var file, format string
	var verbose bool
	c := &cobra.Command{
		Use: "serve --config bootyard.yaml", Short: "Run the appliance", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
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
		Use: "check", Short: "Check a configuration file and show what it means", Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			text, err := cfg.Explain()
			if err != nil {
				return err
			}
			env.say("%s", text)
			return nil
		},
	}
	check.Flags().StringVar(&file, "config", "/etc/bootyard/bootyard.yaml", "configuration file")
	return group("config", "The configuration file", check)
}
