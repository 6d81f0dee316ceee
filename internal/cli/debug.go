package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// debugHold is how long one request waits for news, in seconds.
	debugHold = 20
	// debugHere bounds the wait for a machine that is to report.
	debugHere = time.Minute
)

func newDebugCommand(env *environment) *cobra.Command {
	var words []string
	var wait time.Duration
	c := &cobra.Command{
		Use: "debug RUN|DEVICE", Short: "Step through a task sequence that is in debug mode", Args: cobra.ExactArgs(1),
		Long: `Attach to a run in debug mode: it was deployed with --debug, its device or a
collection has the variable TSDebugMode=TRUE, or TSDebugOnError=TRUE and a step
has failed. The sequence is shown as a tree with the current node (>) and the
breaks (*); then a prompt takes these words:

` + debugHelp + `
Without a terminal use --do, once for each word; with --json the state after the
last one is printed. If nobody is attached for an hour a paused sequence fails
(DBG-6). Everybody attached may give commands; they are carried out in order and
recorded with the name of who gave them ('bootyard run events RUN').`,
		Example: `  bootyard run debug lab-01
  bootyard run debug lab-01 --do 'break 7' --do run --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d := &debugger{env: env, ref: args[0], wait: wait}
			if err := d.attach(cmd.Context()); err != nil {
				return err
			}
			if len(words) == 0 && !env.json {
				return d.prompt(cmd.Context())
			}
			for _, w := range words {
				switch err := d.do(cmd.Context(), w); {
				case errors.Is(err, errLeft):
					return nil
				case err != nil:
					return err
				}
			}
			if env.json {
				return env.print(d.view, nil)
			}
			d.where()
			return nil
		},
	}
	c.Flags().StringArrayVar(&words, "do", nil, "do this and leave; may be repeated")
	c.Flags().DurationVar(&wait, "wait", time.Hour, "how long to wait for the end of a step or a run")
	return c
}

const debugHelp = `  step         run the node and stop before the next; after a failure, again
  run          run to a break, a failure or the end
  goto N       go on at pointer N, which skips or repeats (Set Current)
  break N      stop before the node at pointer N
  clear N|all  forget one break, or all
  vars [TEXT]  show variables, those whose names hold TEXT
  log [N]      show the last N lines of smsts.log (20)
  tree         show the sequence again
  retry        run the failed step again and stop after it
  skip         go behind the node without running it
  fail         let the failure end the sequence
  shell        open a shell in the boot environment
  cancel       fail the task sequence
  quit         detach: the sequence goes on without debugger
  leave        leave this prompt; the sequence stays as it is (or end of input)
  help         show these words
`

// debugger is a person attached to a run.
type debugger struct {
	env  *environment
	ref  string
	wait time.Duration
	view wire.DebugView
	keys *keyboard // of the prompt
}

// errLeft says that the prompt is to end.
var errLeft = errors.New("left the debugger")

// attach waits until the machine has said where it stands.
func (d *debugger) attach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, debugHere)
	defer cancel()
	err := d.until(ctx, func(v wire.DebugView) bool { return v.Reported != nil })
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the machine of run %s has not reported for a minute: see 'bootyard run show', and look at its screen", oneLine(d.view.Run))
	}
	return err
}

// until asks for the view again and again until it is as wanted or the run has ended.
func (d *debugger) until(ctx context.Context, want func(wire.DebugView) bool) error {
	for after := int64(0); ; after = d.view.Revision {
		v, err := get[wire.DebugView](ctx, d.env, fmt.Sprintf("/runs/%s/debug?after=%d&hold=%d", esc(d.ref), after, debugHold))
		if err != nil {
			return err
		}
		d.view, d.ref = v, v.Run // the device may begin another run
		if v.State != wire.RunRunning || want(v) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// do carries out one line of the prompt.
func (d *debugger) do(ctx context.Context, line string) error {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	switch word = strings.ToLower(word); word {
	case "":
		return nil
	case "help", "?":
		fmt.Fprint(d.env.out, debugHelp)
		return nil
	case "vars":
		d.variables(rest)
		return nil
	case "tree":
		d.tree()
		return nil
	case "log":
		n := 20
		if rest != "" {
			var err error
			if n, err = strconv.Atoi(rest); err != nil || n < 1 || n > maxLogLines {
				return wrongUsage("log takes a number from 1 to %d", maxLogLines)
			}
		}
		return d.log(ctx, n)
	case "shell":
		return d.env.shell(ctx, d.view.Run, rest, d.keys)
	case "leave":
		return errLeft
	case "clear":
		if strings.EqualFold(rest, "all") {
			return d.command(ctx, wire.DebugAsk{Action: "clear-all"})
		}
		fallthrough
	case "goto", "break":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return wrongUsage("%s takes the pointer of a node; see the numbers in the tree", word)
		}
		return d.command(ctx, wire.DebugAsk{Action: word, Pointer: n})
	case "step", "run", "retry", "skip", "fail", "cancel", "quit":
		if rest != "" {
			return wrongUsage("%s takes nothing", word)
		}
		return d.command(ctx, wire.DebugAsk{Action: word})
	}
	return wrongUsage("there is no word %q in the debugger; the words are step, run, goto, break, clear, vars, log, tree, retry, skip, fail, shell, cancel, quit, leave and help", oneLine(word))
}

// command gives a command and waits until it was carried out and the run stands again or has ended.
func (d *debugger) command(ctx context.Context, ask wire.DebugAsk) error {
	if d.view.State != wire.RunRunning {
		return fmt.Errorf("the run has ended: %s", d.view.State)
	}
	ask.Key = uuid.NewString() // a repeated request is the same command
	given, err := post[wire.DebugCommand](ctx, d.env, "/runs/"+esc(d.view.Run)+"/debug", ask)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, d.wait)
	defer cancel()
	err = d.until(ctx, func(v wire.DebugView) bool {
		return v.Taken >= given.Number && (v.Paused || ask.Action != "step" && ask.Action != "run" && ask.Action != "retry")
	})
	var p *wire.Problem
	switch {
	case ask.Action == "quit" && errors.As(err, &p) && p.Status == http.StatusConflict:
		d.env.say("detached: the sequence goes on by itself")
		return errLeft
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the machine is still busy after %s; attach again to see how it goes", d.wait)
	case err != nil:
		return err
	case d.view.Taken == given.Number && d.view.Refused != "":
		return fmt.Errorf("%s: not done: %s", ask.Action, oneLine(d.view.Refused))
	}
	return nil
}
