package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/client"
	"github.com/bootyard/bootyard/internal/version"
	"github.com/bootyard/bootyard/internal/wire"
)

// Exit codes, listed at the end of every command's help.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitConfirm = 3 // nothing was done: the command wants to be confirmed
)

const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing done: repeat it with --yes to confirm"

// defaultSocket is where serve listens unless its configuration says otherwise.
const defaultSocket = "/run/bootyard/bootyard.sock"

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
		Version:       version.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          holder,
		Long: `bootyard deploys operating systems to machines that boot from the network or from
a medium it made. 'bootyard serve' is the appliance; the other commands talk to
it: on the appliance as root through its unix socket, elsewhere with --url, --ca
and a token of 'bootyard token create'.

Results go to standard output, everything else to standard error.`,
		Example: `  bootyard device import lab-01 --mac 52:54:00:12:34:56
  bootyard sequence import debian.xml
  bootyard deploy lab-01 BYD00003 --now --follow
  bootyard deployment explain --device lab-01`,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&env.socket, "socket", "", "unix socket of the appliance (env BOOTYARD_SOCKET; default "+defaultSocket+")")
	flags.StringVar(&env.url, "url", "", "https://host[:port] of a remote appliance (env BOOTYARD_URL)")
	flags.StringVar(&env.tokenFile, "token-file", "", "file with an API token (env BOOTYARD_TOKEN holds the token itself)")
	flags.StringVar(&env.caFile, "ca", "", "copy of the appliance's <data_dir>/pki/ca.pem (env BOOTYARD_CA)")
	flags.BoolVar(&env.json, "json", false, "print JSON")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see '%s --help'", err, c.CommandPath())}
	})
	root.SetUsageTemplate(root.UsageTemplate() + "\n" + exitCodes + "\n")
	root.AddCommand(
		newServeCommand(env), newConfigCommand(env),
		newDeviceCommand(env), newCollectionCommand(env),
		newSequenceCommand(env), newPackageCommand(env), newApplicationCommand(env), newDriverCommand(env), newStateCommand(env), newImageCommand(env),
		newDeploymentCommand(env), newDeployCommand(env), newRetryCommand(env), newCancelCommand(env),
		newRunCommand(env), newStatusCommand(env), newBootCommand(env), newAlertCommand(env), newMessageCommand(env),
		newWakeCommand(env), newMediaCommand(env), newTokenCommand(env), newSettingsCommand(env),
		newLabCommand(env), newDemoCommand(env), newDoctorCommand(env),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	strict(root)
	env.completeNames(root)
	return root
}

type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func wrongUsage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// strict makes a wrong number of arguments wrong usage (exit code 2) in c and
// all commands below it.
func strict(c *cobra.Command) {
	if !c.Runnable() { // cobra's own groups
		c.Args, c.RunE = cobra.ArbitraryArgs, holder
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return wrongUsage("%w; usage: %s", err, c.UseLine())
			}
			return nil
		}
	}
	for _, child := range c.Commands() {
		strict(child)
	}
}

// holder is what a command does that only holds others: without arguments it
// helps, with any it says which commands there are.
func holder(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		if c.HasParent() {
			return wrongUsage("name one of the commands of '%s'; see '%s --help'", c.CommandPath(), c.CommandPath())
		}
		return c.Help()
	}
	hint := fmt.Sprintf("see '%s --help'", c.CommandPath())
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "? " + hint
	}
	return wrongUsage("there is no command %q in '%s'; %s", args[0], c.CommandPath(), hint)
}

// fail prints an error once and says with which code to leave.
func (env *environment) fail(err error) int {
	var p *wire.Problem
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(env.err, "bootyard: interrupted")
		return exitFailed
	case confirmation(err) != nil:
		return exitConfirm // agreed has said why
	case errors.As(err, &p):
		fmt.Fprintf(env.err, "bootyard: %s\n", oneLine(err.Error()))
		for _, f := range p.Problems {
			fmt.Fprintf(env.err, "  %s: %s%s\n", oneLine(f.Field), oneLine(f.Detail), inBrackets(f.Rule))
		}
		if p.Remedy != "" {
			fmt.Fprintf(env.err, "  hint: %s\n", oneLine(p.Remedy))
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

// remote is the URL of the appliance, or empty when the socket is used.
func (env *environment) remote() string {
	if env.url != "" || env.socket != "" { // a flag is nearer than the environment
		return env.url
	}
	return env.getenv("BOOTYARD_URL")
}

// client connects to the appliance that flags and environment name.
func (env *environment) client() (*client.Client, error) {
	o := client.Options{
		Socket: cmp.Or(env.socket, env.getenv("BOOTYARD_SOCKET"), defaultSocket),
		URL:    env.remote(), Token: env.getenv("BOOTYARD_TOKEN"),
	}
	if env.tokenFile != "" {
		data, err := os.ReadFile(env.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		o.Token = firstLine(string(data))
	}
	ca := cmp.Or(env.caFile, env.getenv("BOOTYARD_CA"))
	if o.URL != "" && ca != "" {
		data, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("read CA certificate: %w", err)
		}
		o.CA = data
	}
	return client.New(o)
}
