package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/evaluate"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/step"
)

// ErrRestarting is returned by RunOnce when the machine was told to restart; the agent has nothing to do until then.
var ErrRestarting = errors.New("the machine restarts")

const (
	// maxRounds bounds the runs of one round: each asks for policy again.
	maxRounds = 20
	// retryFirst to retryLast is how soon a round that failed is repeated; just after a start the network may need a moment.
	retryFirst = 2 * time.Second
	retryLast  = time.Minute
	// watchPause is the longest pause: users and windows are looked at that often.
	watchPause = time.Minute
)

// RunOnce does one round: it goes on with a run that was interrupted, sends what is queued, asks for policy, downloads what
// is to be there ahead, and runs what is due or was asked for, one after the other. Without a network only the first
// happens. An error is for the log; the next round tries again.
func (a *Agent) RunOnce(ctx context.Context) (err error) {
	a.cycle.Lock()
	defer a.cycle.Unlock()
	now := a.config.Clock.Now()
	a.setNext(now.Add(link.Backoff{First: retryFirst, Max: retryLast}.Wait(a.failures + 1)))
	defer func() {
		if a.failures++; err == nil {
			a.failures = 0
		}
	}()
	if a.config.Users != nil {
		users := a.config.Users()
		a.mu.Lock()
		a.memory.users(users, now)
		a.mu.Unlock()
	}
	if err := a.resume(ctx); err != nil {
		return err
	}
	for range maxRounds {
		ran, err := a.round(ctx)
		if err != nil || !ran {
			return err
		}
	}
	return nil
}

// round asks for policy and runs at most one deployment.
func (a *Agent) round(ctx context.Context) (ran bool, err error) {
	var policy wire.Policy
	request := wire.PolicyRequest{Environment: wire.FullOS}
	if err := a.session.Do(ctx, http.MethodPost, wire.PathPolicy, request, &policy); err != nil {
		return false, fmt.Errorf("ask for policy: %w", err)
	}
	now := a.config.Clock.Now()
	a.mu.Lock()
	a.policy, a.fresh = policy, true
	a.memory.arrived(policy.Candidates, now)
	err = a.saveMemory()
	a.mu.Unlock()
	if err != nil {
		return false, err
	}
	if policy.Action == wire.ActionResume {
		return a.adopt(ctx, policy.ActiveRun)
	}
	plan := a.plan(ctx, policy, now)
	a.together = nil
	for _, c := range plan.download {
		a.together = append(a.together, c.Packages...) // or they would push each other out, round after round
	}
	for _, c := range plan.download {
		if err := a.download(ctx, c); err != nil {
			a.contentAwaited(ctx, c, "the deadline", err)
			plan.wakeAt(now, now.Add(contentPause))
		}
	}
	a.setNext(plan.next)
	if plan.run == nil {
		return false, nil
	}
	return a.begin(ctx, *plan.run, plan.user)
}

// plan is what a policy means at one moment.
type plan struct {
	run      *wire.Candidate
	user     bool
	since    time.Time
	download []wire.Candidate
	next     time.Time
}

func (a *Agent) plan(ctx context.Context, policy wire.Policy, now time.Time) plan {
	interval := time.Duration(a.session.answer().PollInterval)
	if interval <= 0 {
		interval = defaultPoll
	}
	// A fifth of spread keeps a thousand machines from asking at once.
	p := plan{next: now.Add(interval - time.Duration(rand.Int64N(int64(interval)/5+1)))}
	for _, c := range policy.Candidates {
		a.mu.Lock()
		in := a.input(c, policy, now)
		asked := slices.Contains(a.memory.Asked, c.Deployment)
		a.mu.Unlock()
		v := evaluate.Evaluate(in)
		p.wakeAt(now, v.WindowOpens, v.StartsContentDownloadAt)
		p.wakeAt(now, v.NextDue...)
		if at := v.StartsContentDownloadAt; !at.IsZero() && !at.After(now) && v.State != evaluate.StateExpired {
			p.download = append(p.download, c)
		}
		switch {
		case asked && (v.UserMayStart || v.Offered):
			if !p.user {
				p.run, p.user = &c, true
			}
		case v.Due && now.Before(a.putOffTo(c.Deployment)): // others first
			p.wakeAt(now, a.putOffTo(c.Deployment))
		case v.Due && !p.user && (p.run == nil || v.DueSince.Before(p.since) || v.DueSince.Equal(p.since) && c.Deployment < p.run.Deployment):
			p.run, p.since = &c, v.DueSince
		case v.State == evaluate.StateWillNotRerun:
			a.skip(ctx, c, v, now)
		}
		if v.Alert {
			a.tellOnce(ctx, "window:"+c.Deployment+v.DueSince.String(), wire.Message{Severity: "warning", Deployment: c.Deployment}, fmt.Sprintf("%s (%s): %s", c.SequenceName, c.Deployment, reasons(v)))
		}
	}
	return p
}

func (p *plan) wakeAt(now time.Time, times ...time.Time) {
	for _, t := range times {
		if !t.IsZero() && t.After(now) && t.Before(p.next) {
			p.next = t
		}
	}
}

// skip notes that a due time is not carried out, so that it is decided once (RRN-9).
func (a *Agent) skip(ctx context.Context, c wire.Candidate, v evaluate.Verdict, now time.Time) {
	a.mu.Lock()
	a.memory.Handled[c.Deployment] = now
	err := a.saveMemory()
	a.mu.Unlock()
	if err != nil {
		a.config.Logger.Warn("skip not kept", "deployment", c.Deployment, "err", err)
	}
	about := wire.Message{Severity: "info", Deployment: c.Deployment, Delivery: wire.DeliveryWillNotRerun}
	a.tellOnce(ctx, "skip:"+c.Deployment+v.DueSince.String(), about, fmt.Sprintf("%s (%s): will not rerun (RRN-9): %s", c.SequenceName, c.Deployment, reasons(v)))
}

// tellOnce sends a message with a text, once for each key.
func (a *Agent) tellOnce(ctx context.Context, key string, message wire.Message, text string) {
	a.mu.Lock()
	tell := a.memory.once(key)
	a.mu.Unlock()
	if !tell {
		return
	}
	a.config.Logger.Info(text)
	message.Time, message.Text = a.config.Clock.Now().UTC(), cut(text)
	if err := a.session.Do(ctx, http.MethodPost, wire.PathPreflight, message, nil); err != nil {
		a.config.Logger.Warn("message not delivered", "err", err)
		if link.Temporary(err) {
			a.mu.Lock()
			a.memory.again(key)
			a.mu.Unlock()
		}
	}
}

func reasons(v evaluate.Verdict) string {
	list := make([]string, 0, len(v.Reasons))
	for _, r := range v.Reasons {
		list = append(list, r.Text)
	}
	return strings.Join(list, "; ")
}

func (a *Agent) setNext(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = at
}

// take claims a deployment and keeps the run.
func (a *Agent) take(ctx context.Context, c wire.Candidate, user bool) (*job, error) {
	name := filepath.Join(a.config.Dir, "claim")
	key, err := claimKey(name, c.Deployment)
	if err != nil {
		return nil, err
	}
	request := wire.ClaimRequest{Deployment: c.Deployment, Key: key, Environment: wire.FullOS, LaunchMode: wire.LaunchSMS, UserStarted: user}
	var run wire.Run
	if err := a.session.Do(ctx, http.MethodPost, wire.PathRuns, request, &run); err != nil {
		return nil, fmt.Errorf("claim %s: %w", c.Deployment, err)
	}
	a.mu.Lock()
	a.memory.Asked = slices.DeleteFunc(a.memory.Asked, func(id string) bool { return id == c.Deployment })
	err = a.saveMemory()
	delete(a.later, c.Deployment)
	windows := a.policy.Windows
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := keepTerms(a.kit.runDir(), terms{Candidate: c, Windows: windows, User: user}); err != nil {
		return nil, err
	}
	job, err := a.kit.newJob(run, newKey(), nil)
	if err != nil {
		return nil, err
	}
	// The run has a folder now, so the claim's key is not needed again; a second claim is a second run.
	if err := os.Remove(name); err != nil {
		return nil, errors.Join(fmt.Errorf("forget the claim: %w", err), job.close())
	}
	return job, nil
}

// adopt deals with a run that the appliance has as ours and of which no folder is here. A run that was only just claimed
// when the agent was killed begins now; one of this agent whose state is lost has failed. A run that a boot environment
// began is somebody else's: this may be an old system on another disk.
func (a *Agent) adopt(ctx context.Context, id string) (ran bool, err error) {
	var run wire.Run
	if err := a.session.Do(ctx, http.MethodGet, link.Path(wire.PathRun, "run", id), nil, &run); err != nil {
		return false, fmt.Errorf("ask for the run in progress: %w", err)
	}
	name := filepath.Join(a.config.Dir, "claim")
	data, claimErr := readSmall(name)
	switch {
	case claimErr == nil && strings.HasPrefix(string(data), run.Deployment+" "):
		job, err := a.kit.newJob(run, newKey(), nil)
		if err != nil {
			return false, err
		}
		if err := os.Remove(name); err != nil {
			return false, errors.Join(fmt.Errorf("forget the claim: %w", err), job.close())
		}
		return true, a.execute(ctx, job)
	case run.LaunchMode == wire.LaunchSMS:
		finish := wire.Finish{ExitCode: step.CodeInterrupted, Message: "the state of the run on this machine is lost", Remedy: "start it again",
			Time: a.config.Clock.Now().UTC()}
		err := a.session.Do(ctx, http.MethodPost, link.Path(wire.PathFinish, "run", id), finish, nil)
		return err == nil, err
	}
	return false, fmt.Errorf("the appliance waits for run %s, of which this system knows nothing: cancel it with `bootyard cancel`", id)
}
