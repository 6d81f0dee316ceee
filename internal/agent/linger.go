package agent

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine"
)

// errorDialogTime is how long the screen of a failed run stays when nothing else is said (TS-49).
const errorDialogTime = 15 * time.Minute

// errorDialog reads SMSTSErrorDialogTimeout, in seconds; zero keeps the screen for good. A value that is no number is none.
func errorDialog(engine *tsengine.Engine) time.Duration {
	text := strings.TrimSpace(engine.Variables().Value("SMSTSErrorDialogTimeout"))
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return errorDialogTime
	}
	return time.Duration(seconds) * time.Second
}

// Linger is for a machine whose run has failed: it shows why, and restarts when SMSTSErrorDialogTimeout is over (TS-49). Somebody
// who presses Enter keeps the machine as it is, and a timeout of zero does. An error means that the machine stays: it is
// err, or why the restart failed.
func (a *BootAgent) Linger(ctx context.Context, err error) error {
	var f failure
	if !errors.As(err, &f) || !f.mark || f.dialog <= 0 {
		return err
	}
	say := a.config.Console.Say
	Explain(a.config.Console, err)
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	stay := make(chan struct{}, 1)
	if a.config.Keys != nil {
		say("This machine restarts in %s. Press Enter to keep it as it is, with a shell.", f.dialog)
		a.config.Keys.Drop()
		go func() { // ends with waiting
			if _, err := a.config.Keys.Line(waiting); err == nil {
				stay <- struct{}{}
				cancel()
			}
		}()
	} else {
		say("This machine restarts in %s.", f.dialog)
	}
	slept := a.config.Clock.Sleep(waiting, f.dialog)
	select {
	case <-stay:
		return err
	default:
	}
	if slept != nil {
		return err
	}
	say("The machine restarts (SMSTSErrorDialogTimeout)")
	return a.config.Machine.Restart(ctx)
}
