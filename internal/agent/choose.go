package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
)

// preferredVariable names the one deployment that a medium is for (PXE-24).
const preferredVariable = "SMSTSPreferredAdvertID"

// Keys are the lines that somebody types at the machine.
type Keys interface {
	// Line waits for a line until ctx ends.
	Line(ctx context.Context) (string, error)
	// Secret is Line without showing what is typed, where the console can do that.
	Secret(ctx context.Context) (string, error)
	// Drop forgets what was typed before; a key pressed while the machine came up is no answer to a later question.
	Drop()
}

// choose asks until the appliance names something to do. A nil run without error means that the machine is leaving.
func (a *BootAgent) choose(ctx context.Context) (*wire.Run, error) {
	start := a.config.Clock.Now()
	request := wire.PolicyRequest{Environment: wire.WinPE, PreferredDeployment: a.config.Boot.variable(preferredVariable),
		Unattended: a.config.Boot.unattended(), Chosen: a.config.Boot.Pick}
	told, confirmed := "", ""
	again := newPolicyRetry(a.config.Boot)
	// A machine in the middle of a run, or one whose disk is to start, must not hang at a question (PXE-10a, MED-25); so the
	// appliance is asked first, which starts nothing.
	asks := a.config.Boot.Media != nil && !a.config.Boot.unattended()
	for {
		policy, err := a.policy(ctx, request)
		if err != nil {
			return nil, failure{err: err, remedy: link.Remedy(err, "see the reason above; correct it on the appliance and start the machine again")}
		}
		if asks && (policy.Action == wire.ActionRun || policy.Action == wire.ActionMenu) {
			if err := a.confirm(ctx, policy); err != nil {
				return nil, err
			}
			// The day may have passed at the screen: what counts is what the appliance says now.
			confirmed = strings.ToUpper(request.PreferredDeployment)
			asks, request.Chosen, a.attended = false, confirmed, true
			continue
		}
		switch policy.Action {
		case wire.ActionResume:
			return a.resume(ctx, policy.ActiveRun)
		case wire.ActionRun:
			return a.claim(ctx, policy.Deployment)
		case wire.ActionMenu:
			if request.Unattended {
				// MED-3: nothing may be asked, so nothing can be chosen.
				a.sayReasons(wire.MarkNothing, policy.Reasons)
				return nil, failure{err: errors.New("several task sequences are offered and this medium asks no questions (MED-3)"),
					remedy: "make the medium with " + preferredVariable + ", or deploy one of them as Required"}
			}
			chosen, err := a.menu(ctx, policy)
			if err != nil {
				return nil, err
			}
			request.Chosen = chosen
			if chosen != "" {
				a.attended = true
				continue
			}
		case wire.ActionLocal:
			a.sayReasons("this machine starts from its disk", policy.Reasons)
			if err := a.config.Clock.Sleep(ctx, localPause); err != nil {
				return nil, err
			}
			return nil, a.config.Machine.Restart(ctx)
		default:
			request.Chosen = confirmed
			if text := fmt.Sprint(policy.Reasons); text != told {
				told = text
				a.sayReasons(wire.MarkNothing, policy.Reasons)
				a.tell(ctx, policy.Reasons)
			}
			if err := again.wait(ctx, a.config.Clock); err != nil {
				return nil, err
			}
		}
		if a.config.Clock.Now().Sub(start) > policyPatience {
			return nil, failure{err: errors.New("there was nothing to run for a day"), remedy: "deploy a task sequence to this machine, then start it again"}
		}
	}
}

// policyRetry is how often, and after which pause, policy is asked for again after an empty answer. A medium or a prestart
// command sets it (TS-16, PXE-29); without, the machine asks until there is something to run, because nobody may be there
// to start it again.
type policyRetry struct {
	left    int // negative: no end but policyPatience
	between time.Duration
}

func newPolicyRetry(b Boot) *policyRetry {
	r := &policyRetry{left: -1, between: policyPause}
	if n, err := strconv.ParseUint(b.variable("SMSTSAssignmentsDownloadRetry"), 10, 16); err == nil {
		r.left, r.between = int(n), 0
	}
	if n, err := strconv.ParseUint(b.variable("SMSTSAssignmentsDownloadInterval"), 10, 24); err == nil {
		r.between = time.Duration(n) * time.Second
	}
	return r
}

// wait pauses before the next question, or says that it was the last.
func (r *policyRetry) wait(ctx context.Context, clock link.Clock) error {
	if r.left == 0 {
		return failure{err: errors.New("there is nothing to run, and SMSTSAssignmentsDownloadRetry allows no further question"),
			remedy: "deploy a task sequence to this machine, then start it again"}
	}
	if r.left > 0 {
		r.left--
	}
	// A second at least keeps a machine that asks a thousand times from being a burden.
	return clock.Sleep(ctx, max(r.between, time.Second))
}

func (a *BootAgent) policy(ctx context.Context, request wire.PolicyRequest) (wire.Policy, error) {
	var policy wire.Policy
	err := a.retry(ctx, "ask what is meant for this machine", func(ctx context.Context) error {
		return a.session.Do(ctx, http.MethodPost, wire.PathPolicy, request, &policy)
	})
	return policy, err
}

// retry repeats a request and tells the person at the machine why it takes so long.
func (a *BootAgent) retry(ctx context.Context, what string, try func(context.Context) error) error {
	err := link.Retry(ctx, a.config.Clock, a.config.Backoff, func(err error, wait time.Duration) {
		a.config.Console.Say("%s: %v; next try in %s", what, err, wait.Round(time.Second))
	}, try)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (a *BootAgent) resume(ctx context.Context, id string) (*wire.Run, error) {
	var run wire.Run
	err := a.retry(ctx, "fetch the run to go on with", func(ctx context.Context) error {
		return a.session.Do(ctx, http.MethodGet, link.Path(wire.PathRun, "run", id), nil, &run)
	})
	if err != nil {
		return nil, failure{err: err, remedy: link.Remedy(err, "deploy the machine again: bootyard deploy")}
	}
	a.resumed = true
	return &run, nil
}

// claim takes the deployment. The key is kept until the run is over, so that a repeated claim of a killed agent, or one
// whose answer was lost, gives the same run.
func (a *BootAgent) claim(ctx context.Context, deployment string) (*wire.Run, error) {
	key, err := claimKey(filepath.Join(a.config.Dir, "claim"), deployment)
	if err != nil {
		return nil, err
	}
	request := wire.ClaimRequest{Deployment: deployment, Key: key, Environment: wire.WinPE, LaunchMode: a.config.Boot.launchMode()}
	var run wire.Run
	err = a.retry(ctx, "claim deployment "+deployment, func(ctx context.Context) error {
		return a.session.Do(ctx, http.MethodPost, wire.PathRuns, request, &run)
	})
	if err != nil {
		return nil, failure{err: err, remedy: link.Remedy(err, "look at the deployment on the appliance: bootyard deployment explain")}
	}
	return &run, nil
}

// menu lists what is offered and waits for a number for a while; then the appliance is asked again, because something may
// have become required. An empty choice means that.
func (a *BootAgent) menu(ctx context.Context, policy wire.Policy) (string, error) {
	// PXE-25: hidden ones are in no list, whatever the appliance sent.
	offered := slices.DeleteFunc(slices.Clone(policy.Candidates), func(c wire.Candidate) bool { return c.Availability == wire.MediaAndPXEHidden })
	if len(offered) == 0 || a.config.Keys == nil {
		a.sayReasons("nobody can choose here", policy.Reasons)
		return "", a.config.Clock.Sleep(ctx, policyPause)
	}
	say := a.config.Console.Say
	say("Which task sequence?")
	for i, c := range offered {
		say("  %d  %s (%s)", i+1, c.SequenceName, c.Deployment)
	}
	say("Type a number and press Enter.")
	waiting, cancel := context.WithTimeout(ctx, 2*policyPause)
	defer cancel()
	for {
		line, err := a.config.Keys.Line(waiting)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil {
			return "", nil //nolint:nilerr // nobody typed; the caller asks the appliance again
		}
		line = strings.TrimSpace(line)
		if line == "" && len(offered) == 1 {
			return offered[0].Deployment, nil // PXE-24: a single entry is preselected
		}
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(offered) {
			return offered[n-1].Deployment, nil
		}
		say("%.40q is none of the numbers above", line)
	}
}

func (a *BootAgent) sayReasons(head string, reasons []wire.Reason) {
	a.config.Console.Say("%s", head)
	for _, r := range reasons {
		if r.Rule != "" {
			a.config.Console.Say("  %s (%s)", r.Text, r.Rule)
		} else {
			a.config.Console.Say("  %s", r.Text)
		}
	}
}

// tell lets the appliance know that somebody waits here in vain.
func (a *BootAgent) tell(ctx context.Context, reasons []wire.Reason) {
	text := "no task sequence is available for this machine"
	for _, r := range reasons {
		text += "; " + r.Text
	}
	a.tellText(ctx, "warning", text)
}

func (a *BootAgent) tellText(ctx context.Context, severity, text string) {
	message := wire.Message{Time: a.config.Clock.Now().UTC(), Severity: severity, Text: text}
	if err := a.session.Do(ctx, http.MethodPost, wire.PathPreflight, message, nil); err != nil {
		a.config.Logger.Warn("message not delivered", "err", err)
	}
}

// claimKey reads or makes the key of the claim of a deployment.
func claimKey(name, deployment string) (string, error) {
	prefix := deployment + " "
	if data, err := readSmall(name); err == nil {
		if key, ok := strings.CutPrefix(string(data), prefix); ok && key != "" {
			return key, nil
		}
	}
	key := fmt.Sprintf("%x", newKey()[:16])
	if err := atomicfile.Write(name, []byte(prefix+key), 0o600); err != nil {
		return "", fmt.Errorf("keep the claim: %w", err)
	}
	return key, nil
}
