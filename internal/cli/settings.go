package cli

import (
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newSettingsCommand(env *environment) *cobra.Command {
	show := &cobra.Command{
		Use: "show", Short: "Show the site's settings", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := get[wire.Settings](cmd.Context(), env, "/settings")
			if err != nil {
				return err
			}
			return printSettings(env, s)
		},
	}
	return group("settings", "The site's settings", show, newSettingsSetCommand(env), newPXEPasswordCommand(env), newIgnoredIDsCommand(env))
}

func printSettings(env *environment, s wire.Settings) error {
	return env.print(s, func(w *tabwriter.Writer) {
		row(w, "unknown computers are served (PXE-1)", yes(s.UnknownComputers))
		row(w, "password at machines that start from the network (PXE-23)", passwordSet(s.PXEPassword))
		row(w, "Wake-on-LAN (WOL-2)", yes(s.WakeOnLAN))
		row(w, "wake-up before the due time (WOL-8)", time.Duration(s.WakeOffset))
		row(w, "windows apply in WinPE (MWN-18)", yes(s.WindowsApplyInWinPE))
		row(w, "deployment verification: default size (HRD-4)", s.DefaultSize)
		row(w, "deployment verification: maximum size (HRD-5)", s.MaximumSize)
		row(w, "deployment verification: site systems (HRD-6)", s.SiteSystems)
		row(w, "same medium not again within (MED-25)", time.Duration(s.MediaGuard))
		row(w, "a run not heard of is stale after", time.Duration(s.StaleAfter))
		row(w, "largest user state (USM-1)", size(s.StateMaxBytes))
		row(w, "user state is kept after its release for (USM-1)", time.Duration(s.StateRetention))
		row(w, "user state and captured images leave free on the disk (USM-1, IMG-1)", size(s.StateMinFree))
		row(w, "largest image captured into the appliance (IMG-1)", size(s.CaptureMaxBytes))
		row(w, "agents poll every", time.Duration(s.PollInterval))
		row(w, "organisation over the progress of a run (TS-170)", s.Organisation)
		row(w, "boot order after a deployment", finalBoot(s.NetworkFirst))
	})
}

func passwordSet(set bool) string {
	if set {
		return "set"
	}
	return "none"
}

func finalBoot(networkFirst bool) string {
	if networkFirst {
		return "network"
	}
	return "disk"
}

func newSettingsSetCommand(env *environment) *cobra.Command {
	var in wire.Settings
	var boot string
	// What each flag changes, once it is given.
	changes := map[string]func(*wire.Settings){
		"unknown-computers": func(s *wire.Settings) { s.UnknownComputers = in.UnknownComputers },
		"wake-on-lan":       func(s *wire.Settings) { s.WakeOnLAN = in.WakeOnLAN },
		"windows-in-winpe":  func(s *wire.Settings) { s.WindowsApplyInWinPE = in.WindowsApplyInWinPE },
		"default-size":      func(s *wire.Settings) { s.DefaultSize = in.DefaultSize },
		"maximum-size":      func(s *wire.Settings) { s.MaximumSize = in.MaximumSize },
		"site-systems":      func(s *wire.Settings) { s.SiteSystems = in.SiteSystems },
		"state-max-bytes":   func(s *wire.Settings) { s.StateMaxBytes = in.StateMaxBytes },
		"state-retention":   func(s *wire.Settings) { s.StateRetention = in.StateRetention },
		"state-min-free":    func(s *wire.Settings) { s.StateMinFree = in.StateMinFree },
		"organisation":      func(s *wire.Settings) { s.Organisation = in.Organisation },
		"capture-max-bytes": func(s *wire.Settings) { s.CaptureMaxBytes = in.CaptureMaxBytes },
		"final-boot":        func(s *wire.Settings) { s.NetworkFirst = boot == finalBoot(true) },
	}
	c := &cobra.Command{
		Use: "set", Short: "Change settings; only the flags given are changed", Args: cobra.NoArgs,
		Example: "  bootyard settings set --unknown-computers",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if boot != finalBoot(false) && boot != finalBoot(true) {
				return wrongUsage("--final-boot %q is not disk or network", boot)
			}
			var asked []func(*wire.Settings)
			for name, change := range changes {
				if cmd.Flags().Changed(name) {
					asked = append(asked, change)
				}
			}
			if len(asked) == 0 {
				return wrongUsage("give at least one setting; see '%s --help'", cmd.CommandPath())
			}
			s, err := get[wire.Settings](cmd.Context(), env, "/settings")
			if err != nil {
				return err
			}
			for _, change := range asked {
				change(&s)
			}
			if err := act(cmd.Context(), env, http.MethodPut, "/settings", s); err != nil {
				return err
			}
			return printSettings(env, s)
		},
	}
	f := c.Flags()
	f.BoolVar(&in.UnknownComputers, "unknown-computers", false, "serve machines the site does not know (PXE-1)")
	f.BoolVar(&in.WakeOnLAN, "wake-on-lan", true, "send wake-up packets (WOL-2)")
	f.BoolVar(&in.WindowsApplyInWinPE, "windows-in-winpe", false, "maintenance windows hold in the boot environment too (MWN-18)")
	f.IntVar(&in.DefaultSize, "default-size", 0, "a collection with more members is warned of (HRD-4)")
	f.IntVar(&in.MaximumSize, "maximum-size", 0, "a collection with more members is refused (HRD-5)")
	f.StringVar(&in.SiteSystems, "site-systems", "", "collections with site systems: Block or Warn (HRD-6)")
	f.Int64Var(&in.StateMaxBytes, "state-max-bytes", 0, "largest user state of one machine, in bytes (USM-1)")
	f.DurationVar((*time.Duration)(&in.StateRetention), "state-retention", 0, "how long user state is kept after its release, such as 24h (USM-1)")
	f.StringVar(&in.Organisation, "organisation", "", "name over the progress of a run, at most 255 characters (TS-170)")
	f.Int64Var(&in.StateMinFree, "state-min-free", 0, "bytes of the appliance's disk that user state and captured images leave free (USM-1, IMG-1)")
	f.Int64Var(&in.CaptureMaxBytes, "capture-max-bytes", 0, "largest image that a machine may capture into the appliance, in bytes; 0: none (IMG-1)")
	f.StringVar(&boot, "final-boot", finalBoot(false), "boot order after a deployment: disk or network")
	return c
}
