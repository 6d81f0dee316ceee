package cli

import (
	"errors"
	"net/http"

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
		Example: "  bootyard deploy lab-01 BYD00003 --now",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !now {
				return usageError{errors.New("say --now, or use 'bootyard deployment create' with a schedule")}
			}
			in.Device, in.Sequence = args[0], args[1]
			made, err := post[wire.DeploymentResult](cmd.Context(), env, "/deploy-now", in)
			if confirmation(err) != nil && env.ask("Go on? [y/N] ") {
				in.AcceptHighRisk = true
				made, err = post[wire.DeploymentResult](cmd.Context(), env, "/deploy-now", in)
			}
			if err := env.deployed(made, err); err != nil || !follow {
				return err
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
		Use: "retry DEVICE", Short: "Hand out the device's newest Required deployment again (PXE-17)", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := act(cmd.Context(), env, http.MethodPost, "/devices/"+esc(args[0])+"/retry", nil); err != nil {
				return err
			}
			env.say("boot %s from the network to start it again", args[0])
			return nil
		},
	}
}

func newCancelCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "cancel RUN", Short: "Give a run up: the device is free for the next one", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(cmd.Context(), env, http.MethodPost, "/runs/"+esc(args[0])+"/cancel", nil)
		},
	}
}
