package cli

import (
	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/demo"
)

func newDemoCommand(env *environment) *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use: "demo", Short: "Deploy two virtual machines in an isolated lab and show how (root)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Agent, err = agentBinary(o.Agent); err != nil {
				return err
			}
			o.Out = env.out
			return demo.Run(cmd.Context(), o)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.Keep, "keep", false, "leave appliance and lab up at the end")
	f.StringVar(&o.BuildDir, "build-dir", "/var/cache/bootyard", "folder for images, kept for the next time")
	f.StringVar(&o.Agent, "agent", "", "bootyard-agent (default: beside bootyard)")
	return c
}
