package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// hangupKey finds the *hangup in a context of SignalContext.
type hangupKey struct{}

// hangup is what SIGHUP means: a stop, until a command takes it.
type hangup struct {
	mu    sync.Mutex
	asked chan struct{} // nil: nobody took it
}

// SignalContext ends on the signals that ask a program to stop. SIGHUP is one of
// them, except for 'bootyard serve', which reads its configuration again.
func SignalContext() (context.Context, context.CancelFunc) {
	h := &hangup{}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.WithValue(ctx, hangupKey{}, h))
	came := make(chan os.Signal, 1)
	signal.Notify(came, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-came:
				if !h.pass() {
					cancel()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { signal.Stop(came); cancel(); stop() }
}

// pass tells the command that took the signal, and reports whether there is one.
func (h *hangup) pass() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asked == nil {
		return false
	}
	select {
	case h.asked <- struct{}{}:
	default: // it has not come to the last one yet
	}
	return true
}

// hangups takes SIGHUP over; nil when ctx does not come from SignalContext.
func hangups(ctx context.Context) <-chan struct{} {
	h, ok := ctx.Value(hangupKey{}).(*hangup)
	if !ok {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asked == nil {
		h.asked = make(chan struct{}, 1)
	}
	return h.asked
}
