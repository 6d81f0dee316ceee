package agent

import (
	"context"
	"errors"
	"net/http"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// passwordTries is how often a person may mistype before a pause of passwordPause.
	passwordTries = 3
	passwordPause = 2 * policyPause
)

// unlock asks for the PXE password until it is right (PXE-23). Nothing of what is deployed was told before.
func (a *BootAgent) unlock(ctx context.Context) error {
	remedy := "start the machine where somebody can type, or from a medium, which needs no PXE password"
	if a.config.Keys == nil {
		reason := wire.Reason{Rule: "PXE-23", Text: "this site asks for its PXE password, and nobody can type here"}
		a.tell(ctx, []wire.Reason{reason})
		return failure{err: errors.New(reason.Text + " (" + reason.Rule + ")"), remedy: remedy}
	}
	a.tellText(ctx, "info", "waits at its console for the PXE password (PXE-23)")
	say := a.config.Console.Say
	say("This site asks for its PXE password before it tells what is deployed (PXE-23).")
	start := a.config.Clock.Now()
	for try := 1; ; try++ {
		right, err := a.tryPassword(ctx)
		if err != nil || right {
			return err
		}
		if a.config.Clock.Now().Sub(start) > policyPatience {
			return failure{err: errors.New("nobody gave the PXE password for a day (PXE-23)"), remedy: remedy}
		}
		if try%passwordTries == 0 {
			say("%d wrong passwords; the next try is possible in %s", passwordTries, passwordPause)
			if err := a.config.Clock.Sleep(ctx, passwordPause); err != nil {
				return err
			}
		}
	}
}

// tryPassword puts the question once.
func (a *BootAgent) tryPassword(ctx context.Context) (right bool, err error) {
	say := a.config.Console.Say
	a.config.Keys.Drop()
	say("PXE password, then Enter (it is not shown):")
	waiting, cancel := context.WithTimeout(ctx, policyPatience)
	defer cancel()
	password, err := a.config.Keys.Secret(waiting)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil || password == "" {
		return false, nil //nolint:nilerr // nobody typed; the caller looks at the time
	}
	err = a.retry(ctx, "give the PXE password to the appliance", func(ctx context.Context) error {
		err := a.session.Do(ctx, http.MethodPost, wire.PathPassword, wire.Password{Password: password}, nil)
		if link.Status(err) == http.StatusTooManyRequests {
			return errTooMany // no failure of the line
		}
		return err
	})
	switch {
	case err == nil:
		say("The password is right.")
		return true, a.session.unlocked()
	case errors.Is(err, errTooMany):
		say("Too many wrong passwords came from here; the appliance takes the next one in about a minute.")
		return false, a.config.Clock.Sleep(ctx, passwordPause)
	case link.Status(err) == http.StatusForbidden:
		say("The password is wrong.")
		return false, nil
	}
	return false, failure{err: err, remedy: link.Remedy(err, "start the machine from the network again")}
}

// errTooMany says that the appliance takes no more guesses for now. Its status is none that is tried again at once.
var errTooMany = &wire.Problem{Title: "too many wrong passwords", Status: http.StatusConflict}
