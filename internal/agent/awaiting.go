package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

const (
	// contentPause is how soon content that is missing is asked for again.
	contentPause = 5 * time.Minute
	// contentPatience is how long content of a required deployment is asked for from its arrival on, although its time has
	// come (SCH-17): an "as soon as possible" is due when it arrives, often before its content is everywhere.
	contentPatience = time.Hour
)

// download brings all packages of a deployment into the client cache (SCH-16, DOP-12).
func (a *Agent) download(ctx context.Context, c wire.Candidate) error {
	defer a.doing(c.Deployment, stateDownloading)()
	store := a.kit.contentStore(func(string) func() { return func() {} }, nil)
	store.together, store.ahead = append(slices.Clone(a.together), c.Packages...), true
	for _, id := range c.Packages {
		if _, err := store.Fetch(ctx, machine.ContentRequest{PackageID: id, Preserve: true}, func(int64, int64, string) {}); err != nil {
			return fmt.Errorf("package %s: %w", id, err)
		}
	}
	return nil
}

// located asks where all packages of a deployment are (TS-12).
func (a *Agent) located(ctx context.Context, c wire.Candidate) error {
	store := a.kit.contentStore(func(string) func() { return func() {} }, nil)
	for _, id := range c.Packages {
		if _, err := store.locate(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// begin claims a deployment and runs it. With AllBefore no step runs before everything is here (DOP-12). Content of a
// required one that is missing when its time has come is asked for until contentPatience after it arrived, and then the run
// fails (SCH-17); one that a user started fails at once (TS-12), and so does one whose bytes are wrong: waiting does not
// mend them, and somebody has to know (DOP-14). An appliance that does not answer is waited for.
func (a *Agent) begin(ctx context.Context, c wire.Candidate, user bool) (ran bool, err error) {
	var missing error
	switch {
	case c.Option == wire.AllBefore:
		missing = a.download(ctx, c)
	case !user:
		missing = a.located(ctx, c)
	}
	if missing != nil && !contentMissing(missing) {
		return false, fmt.Errorf("%s does not start: %w", c.Deployment, missing)
	}
	if missing != nil && !user && !errors.Is(missing, client.ErrHashMismatch) && a.putOff(ctx, c, missing) {
		return true, nil // others may be due
	}
	job, err := a.take(ctx, c, user)
	if err != nil {
		return false, err
	}
	if missing != nil {
		defer job.close()
		return true, a.ended(ctx, job, failedResult(fmt.Errorf("no step was run: %w", missing)))
	}
	return true, a.execute(ctx, job)
}

// putOff notes that content is asked for again later, and reports whether there is time for that.
func (a *Agent) putOff(ctx context.Context, c wire.Candidate, missing error) bool {
	now := a.config.Clock.Now()
	a.mu.Lock()
	until := a.memory.Arrived[c.Deployment].Add(contentPatience)
	wait := now.Before(until)
	if wait {
		next := now.Add(contentPause)
		if next.After(until) {
			next = until
		}
		a.later[c.Deployment] = next
	}
	zone := a.zone
	a.mu.Unlock()
	if wait {
		a.contentAwaited(ctx, c, until.In(zone).Format(time.RFC1123), missing)
	}
	return wait
}

// putOffTo is when content of a deployment that was put off is asked for again; zero for others.
func (a *Agent) putOffTo(deployment string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.later[deployment]
}

func (a *Agent) contentAwaited(ctx context.Context, c wire.Candidate, until string, missing error) {
	a.config.Logger.Warn("content is not there yet", "deployment", c.Deployment, "err", missing)
	a.tellOnce(ctx, "content:"+c.Deployment, wire.Message{Severity: "warning", Deployment: c.Deployment},
		fmt.Sprintf("%s (%s): content is not there yet and is asked for until %s (SCH-17): %v", c.SequenceName, c.Deployment, until, missing))
}
