package cli

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newDeployCommand(env *environment) *cobra.Command {
	in := wire.DeployNow{}
	var now, follow bool
	c := &cobra.Command{
		Use:   "deploy DEVICE SEQUENCE --now",
		Short: "Deploy a sequence to one device: collection of one and Required deployment in one go",
		Long: `Deploy a sequence to one device, as soon as it boots from the network or a medium:
makes a collection of one and a Required deployment. A sequence that installs an
operating system wipes the machine, so the command asks first unless --yes is
given; without a terminal it does nothing and leaves with exit code 3.`,
		Example: "  bootyard deploy lab-01 BYD00003 --now --follow",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !now {
				return wrongUsage("say --now to start as soon as the machine boots, or use 'bootyard deployment create' with a schedule")
			}
			if in.DryRun && follow {
				return wrongUsage("--dry-run makes nothing that --follow could show")
			}
			in.Device, in.Sequence = args[0], args[1]
			made, err := post[wire.DeploymentResult](cmd.Context(), env, "/deploy-now", in)
			if env.agreed(err) {
				in.AcceptHighRisk = true
				made, err = post[wire.DeploymentResult](cmd.Context(), env, "/deploy-now", in)
			}
			if err != nil {
				return err
			}
			if err := env.deployed(made); err != nil || in.DryRun {
				return err
			}
			if !follow {
				fmt.Fprintf(env.err, "next: boot %s from the network or a medium; 'bootyard status %s --follow' shows how it goes\n", oneLine(in.Device), made.Deployment.ID)
				return nil
			}
			return followDeployment(cmd.Context(), env, made.Deployment.ID)
		},
	}
	f := c.Flags()
	f.BoolVar(&now, "now", false, "start as soon as the machine boots")
	f.BoolVar(&in.Wake, "wake", false, "wake the machine as well")
	f.BoolVar(&in.DryRun, "dry-run", false, "say what would happen and make nothing")
	f.BoolVar(&in.AcceptHighRisk, "yes", false, "agree to wiping the machine")
	f.BoolVar(&follow, "follow", false, "stay and show progress until it ends")
	return c
}

func newRetryCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "retry DEVICE [DEPLOYMENT]", Short: "Run a deployment once more on a device (default: that of its latest run)",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  bootyard retry lab-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/devices/" + esc(args[0]) + "/retry"
			if len(args) == 2 {
				path += "?" + url.Values{"deployment": {args[1]}}.Encode()
			}
			d, err := post[wire.Deployment](cmd.Context(), env, path, nil)
			if err != nil {
				return err
			}
			if env.json {
				return env.print(d, nil)
			}
			where := "boot it from the network or its medium to start it"
			if !d.MakeAvailableTo.IncludesMediaAndPXE() {
				where = "its agent starts it at the next poll"
			}
			env.say("%s %s runs once more on %s: %s", d.ID, oneLine(d.SequenceName), oneLine(args[0]), where)
			return nil
		},
	}
}

func newCancelCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "cancel RUN|DEVICE", Short: "Give a run up: the device is free for the next one", Args: cobra.ExactArgs(1),
		Example: "  bootyard cancel lab-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := call[wire.RunInfo](cmd.Context(), env, http.MethodPost, "/runs/"+esc(args[0])+"/cancel", nil)
			if err != nil {
				return err
			}
			if env.json {
				return env.print(r, nil)
			}
			env.say("run %s of %s is cancelled", r.ID, oneLine(r.DeviceName))
			return nil
		},
	}
}
