package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/client"
	"github.com/bootyard/bootyard/internal/wire"
)

// Exit codes, listed in every command's help.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitConfirm = 3 // nothing was done: the command wants to be confirmed
)

// environment is what a command may touch of the world.
type environment struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string

	socket, url, tokenFile, caFile string
	json                           bool
}

// Execute runs one command line and returns the process's exit code. It ends
// early when ctx does.
func Execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	env := &environment{in: in, out: out, err: errOut, getenv: os.Getenv}
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	return env.fail(err)
}

func newRoot(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use:           "bootyard",
		Short:         "Deploy operating systems to bare metal and virtual machines",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Long: `bootyard deploys operating systems to machines that boot from the network or from
a medium it made. 'bootyard serve' is the appliance; every other command talks to
it, over its unix socket on the same machine, elsewhere with --url, --ca and a
token.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing done because the command
wants to be confirmed.`,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&env.socket, "socket", "/run/bootyard/bootyard.sock", "unix socket of the appliance (env BOOTYARD_SOCKET)")
	flags.StringVar(&env.url, "url", "", "https://host[:port] of a remote appliance (env BOOTYARD_URL)")
	flags.StringVar(&env.tokenFile, "token-file", "", "file with an API token (env BOOTYARD_TOKEN holds the token itself)")
	flags.StringVar(&env.caFile, "ca", "", "the appliance's ca.pem (env BOOTYARD_CA)")
	flags.BoolVar(&env.json, "json", false, "print JSON")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see '%s --help'", err, c.CommandPath())}
	})
	root.AddCommand(
		newServeCommand(env), newConfigCommand(env),
		newDeviceCommand(env), newCollectionCommand(env),
		newSequenceCommand(env), newPackageCommand(env), newImageCommand(env),
		newDeploymentCommand(env), newDeployCommand(env), newRetryCommand(env), newCancelCommand(env),
		newRunCommand(env), newStatusCommand(env), newBootCommand(env),
		newWakeCommand(env), newMediaCommand(env), newTokenCommand(env), newSettingsCommand(env),
		newLabCommand(env), newDemoCommand(env), newDoctorCommand(env),
	)
	return root
}

type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// fail prints an error once and says with which code to leave.
func (env *environment) fail(err error) int {
	var p *wire.Problem
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(env.err, "bootyard: interrupted")
		return exitFailed
	case errors.As(err, &p):
		fmt.Fprintf(env.err, "bootyard: %v\n", p)
		for _, f := range p.Problems {
			fmt.Fprintf(env.err, "  %s: %s%s\n", f.Field, f.Detail, inBrackets(f.Rule))
		}
		if p.Remedy != "" {
			fmt.Fprintf(env.err, "  hint: %s\n", p.Remedy)
		}
		if p.Confirm != nil {
			return exitConfirm
		}
		return exitFailed
	}
	fmt.Fprintf(env.err, "bootyard: %v\n", err)
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

func inBrackets(rule string) string {
	if rule == "" {
		return ""
	}
	return " (" + rule + ")"
}

// client connects to the appliance that flags and environment name.
func (env *environment) client() (*client.Client, error) {
	o := client.Options{Socket: env.socket, URL: env.url, Token: env.getenv("BOOTYARD_TOKEN")}
	if o.URL == "" {
		o.URL = env.getenv("BOOTYARD_URL")
	}
	if s := env.getenv("BOOTYARD_SOCKET"); s != "" && env.socket == "/run/bootyard/bootyard.sock" {
		o.Socket = s
	}
	if env.tokenFile != "" {
		data, err := os.ReadFile(env.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		o.Token = firstLine(string(data))
	}
	ca := env.caFile
	if ca == "" {
		ca = env.getenv("BOOTYARD_CA")
	}
	if o.URL != "" && ca != "" {
		data, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("read CA certificate: %w", err)
		}
		o.CA = data
	}
	return client.New(o)
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v += " " + s.Value[:12]
		}
	}
	return v
}
