package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newDeploymentCommand(env *environment) *cobra.Command {
	show := &cobra.Command{
		Use: "show DEPLOYMENT", Short: "Show a deployment", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := get[wire.Deployment](cmd.Context(), env, "/deployments/"+esc(args[0]))
			if err != nil {
				return err
			}
			return printDeployment(env, d)
		},
	}
	return group("deployment", "Which sequence runs on which collection",
		list(env, "List deployments", "/deployments", table[wire.Deployment]{
			empty:  "no deployments: make one with 'bootyard deployment create SEQUENCE COLLECTION', or 'bootyard deploy DEVICE SEQUENCE --now'",
			header: []any{"ID", "SEQUENCE", "COLLECTION", "PURPOSE", "AVAILABLE TO", "CREATED"},
			cells: func(d wire.Deployment) []any {
				return []any{d.ID, d.SequenceName, d.CollectionName, d.Purpose, d.MakeAvailableTo, when(&d.Created)}
			},
		}),
		newDeploymentCreateCommand(env), show, newExplainCommand(env),
		action(env, "delete DEPLOYMENT", "Delete a deployment; runs in progress go on", http.MethodDelete, at("/deployments/", ""), "deployment %s deleted"))
}

func printDeployment(env *environment, d wire.Deployment) error {
	return env.print(d, func(w *tabwriter.Writer) {
		row(w, "id", d.ID)
		row(w, "name", d.Name)
		row(w, "sequence", d.TaskSequence+" "+d.SequenceName)
		row(w, "collection", d.Collection+" "+d.CollectionName)
		row(w, "purpose", d.Purpose)
		row(w, "available to", d.MakeAvailableTo)
		row(w, "content", d.DeploymentOption)
		row(w, "rerun", d.Rerun)
		row(w, "wake-up", yes(d.WakeUp))
		row(w, "debug", yes(d.Debug))
		row(w, "available", moment(d.Available))
		row(w, "expires", moment(d.Expire))
		for _, a := range d.Assignments {
			row(w, "assignment", assignmentText(a))
		}
		row(w, "created", when(&d.Created))
	})
}

func moment(m *wire.Moment) string {
	switch {
	case m == nil:
		return ""
	case m.UTC:
		return m.At.UTC().Format("2006-01-02 15:04 UTC")
	}
	return m.At.Format("2006-01-02 15:04") + " device-local"
}

func newDeploymentCreateCommand(env *environment) *cobra.Command {
	in := wire.DeploymentCreate{}
	var purpose, availability, option, rerun, available, expire string
	var at, recur []string
	var asap bool
	c := &cobra.Command{
		Use:   "create SEQUENCE COLLECTION",
		Short: "Deploy a task sequence to a collection",
		Long: `Deploy a task sequence to a collection. A Required deployment that installs an
operating system starts with nobody present: the command then shows how many
members it would hit and asks; without a terminal it does nothing until it is
repeated with --yes (exit code 3).

Times are YYYY-MM-DDTHH:MM, read on each device's own clock, or with a trailing Z
the same instant everywhere (SCH-4). The boot environment looks at no schedule
(SCH-1).

--recur makes clients run it again and again, subject to --rerun (SCH-9), and may
be repeated and combined with --deadline. It is a kind and its fields:

  interval,start=TIME,days=0-31,hours=0-23,minutes=0-59
  weekly,start=TIME,weekday=Sunday,every=1-4
  monthlyByDate,start=TIME,day=1-31|last,every=1-12
  monthlyByWeekday,start=TIME,week=first|second|third|fourth|last,weekday=Sunday,every=1-12,offset=0-31
  logOn
  logOff`,
		Example: `  bootyard deployment create BYD00003 "Room 12" --available-to MediaAndPxe
  bootyard deployment create Updates "Room 12" --purpose Required --deadline 2027-03-01T02:00 --wake
  bootyard deployment create Updates "Room 12" --purpose Required --recur weekly,start=2027-03-01T02:00,weekday=Sunday,every=2`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.TaskSequence, in.Collection = args[0], args[1]
			in.Purpose, in.MakeAvailableTo = wire.Purpose(purpose), wire.Availability(availability)
			in.DeploymentOption, in.Rerun = wire.Option(option), wire.Rerun(rerun)
			var err error
			if in.Available, err = parseMoment(available); err != nil {
				return usageError{err}
			}
			if in.Expire, err = parseMoment(expire); err != nil {
				return usageError{err}
			}
			if in.Assignments, err = assignments(asap, at, recur); err != nil {
				return usageError{err}
			}
			made, err := post[wire.DeploymentResult](cmd.Context(), env, "/deployments", in)
			if env.agreed(err) {
				in.AcceptHighRisk = true
				made, err = post[wire.DeploymentResult](cmd.Context(), env, "/deployments", in)
			}
			if err != nil {
				return err
			}
			return env.deployed(made)
		},
	}
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "name (default: made from sequence and collection)")
	f.StringVar(&purpose, "purpose", "Available", "Available or Required")
	f.StringVar(&availability, "available-to", "Clients", "Clients, ClientsMediaAndPxe, MediaAndPxe or MediaAndPxeHidden")
	f.StringVar(&option, "content", "", "AsNeeded (default), AllBefore or DirectFromDP")
	f.BoolVar(&in.Debug, "debug", false, "start in the task sequence debugger; at most 10 members (DBG-1)")
	f.StringVar(&rerun, "rerun", "", "Always (default), Never, IfFailed or IfSucceeded")
	f.StringVar(&available, "available", "", "time from which clients may run it")
	f.StringVar(&expire, "expire", "", "time from which clients may not start it")
	f.StringSliceVar(&at, "deadline", nil, "time at which clients must run it, repeatable")
	f.StringArrayVar(&recur, "recur", nil, "recurring time at which clients must run it, repeatable: see above")
	_ = c.RegisterFlagCompletionFunc("recur", completeRecurrence) // fails for flags that are not there
	f.BoolVar(&asap, "asap", false, "clients run it as soon as they know of it")
	f.BoolVar(&in.WakeUp, "wake", false, "wake members at the deadline (Required only)")
	f.BoolVar(&in.InstallOutsideWindow, "outside-window", false, "may run outside maintenance windows")
	f.BoolVar(&in.RestartOutsideWindow, "restart-outside-window", false, "may restart outside maintenance windows")
	f.StringVar(&in.Comment, "comment", "", "comment")
	f.BoolVar(&in.DryRun, "dry-run", false, "say what would happen and make nothing")
	f.BoolVar(&in.AcceptHighRisk, "yes", false, "agree to what the command warns of")
	return c
}

// deployed shows a deployment that was made, or what a dry run says.
func (env *environment) deployed(made wire.DeploymentResult) error {
	if c := made.Confirm; c != nil {
		for _, r := range c.Reasons {
			fmt.Fprintf(env.err, "would ask for --yes: %s%s\n", oneLine(r.Text), inBrackets(r.Rule))
		}
	}
	for _, r := range made.Warnings {
		fmt.Fprintf(env.err, "warning: %s%s\n", oneLine(r.Text), inBrackets(r.Rule))
	}
	return env.print(made, func(w *tabwriter.Writer) {
		id := made.Deployment.ID
		if made.DryRun {
			id = "(dry run, nothing made)"
		}
		row(w, "deployment", id)
		row(w, "sequence", made.Deployment.SequenceName)
		row(w, "collection", made.Deployment.CollectionName)
		row(w, "members", made.MemberCount)
		row(w, "high risk", yes(made.HighRisk))
	})
}

func newExplainCommand(env *environment) *cobra.Command {
	var device, at, in, preferred string
	c := &cobra.Command{
		Use: "explain [DEPLOYMENT] --device DEVICE", Short: "Say what a device would boot or run, and why",
		Args: cobra.MaximumNArgs(1),
		Example: `  bootyard deployment explain --device lab-01
  bootyard deployment explain --device lab-01 --in fullos --at 2027-03-01T02:00:00Z`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if device == "" {
				return wrongUsage("name the machine with --device")
			}
			if _, err := time.Parse(time.RFC3339, at); at != "" && err != nil {
				return wrongUsage("--at %q is not a time like 2027-03-01T02:00:00Z", at)
			}
			if in != string(wire.WinPE) && in != string(wire.FullOS) {
				return wrongUsage("--in %q is not winpe or fullos", in)
			}
			q := url.Values{"device": {device}, "in": {in}}
			if at != "" {
				q.Set("at", at)
			}
			if preferred != "" {
				q.Set("preferred", preferred)
			}
			if len(args) == 1 {
				q.Set("deployment", args[0])
			}
			d, err := get[wire.Decision](cmd.Context(), env, "/explain?"+q.Encode())
			if err != nil {
				return err
			}
			return printDecision(env, wire.Environment(in), d)
		},
	}
	f := c.Flags()
	f.StringVar(&device, "device", "", "device by id, name, MAC or UUID")
	f.StringVar(&at, "at", "", "at this time (RFC 3339) instead of now")
	f.StringVar(&in, "in", "winpe", "winpe or fullos")
	f.StringVar(&preferred, "preferred", "", "as if SMSTSPreferredAdvertID were this id")
	return c
}

func printDecision(env *environment, in wire.Environment, d wire.Decision) error {
	return env.print(d, func(w *tabwriter.Writer) {
		would := " would " + actionWords(d.Action) + spaced(d.Deployment)
		if in == wire.FullOS && d.Action == wire.ActionNothing {
			would = "" // nothing is served to an installed OS; its agent decides
		}
		fmt.Fprintf(w, "%s%s: %s%s\n", oneLine(d.DeviceName), would, oneLine(d.Reason), inBrackets(d.Rule))
		for _, n := range d.Notes {
			fmt.Fprintf(w, "  note: %s%s\n", oneLine(n.Text), inBrackets(n.Rule))
		}
		if len(d.Considered) == 0 {
			fmt.Fprintln(w, "no deployment is targeted at it")
			return
		}
		row(w, "DEPLOYMENT", "SEQUENCE", "PURPOSE", "AVAILABLE TO", "KEPT", "RULE", "WHY")
		for _, c := range d.Considered {
			row(w, c.Deployment, c.SequenceName, c.Purpose, c.Availability, yes(c.Kept), c.Rule, c.Text)
		}
	})
}

func actionWords(a wire.Action) string {
	switch a {
	case wire.ActionRun:
		return "run"
	case wire.ActionMenu:
		return "show a menu"
	case wire.ActionResume:
		return "go on with its run"
	case wire.ActionLocal:
		return "start its local disk"
	}
	return "not be served"
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

func parseMoment(s string) (*wire.Moment, error) {
	if s == "" {
		return nil, nil
	}
	text, utc := strings.CutSuffix(s, "Z")
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return &wire.Moment{At: t, UTC: utc}, nil
		}
	}
	return nil, fmt.Errorf("%q is not a time like 2026-03-01T02:00 (device-local) or 2026-03-01T02:00Z", s)
}

func assignments(asap bool, at, recur []string) ([]wire.Assignment, error) {
	var out []wire.Assignment
	if asap {
		out = append(out, wire.Assignment{Kind: wire.ASAP})
	}
	for _, s := range at {
		m, err := parseMoment(s)
		if err != nil {
			return nil, err
		}
		out = append(out, wire.Assignment{Kind: wire.Once, Start: m})
	}
	for _, s := range recur {
		a, err := parseRecurrence(s)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
