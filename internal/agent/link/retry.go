package link

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Clock is the time that waits are measured by. Sleep returns early with the context's error.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Backoff says how long a request is repeated. The waits double from First to Max and vary by a fifth, so that a lab full
// of machines does not come back in step.
type Backoff struct {
	First, Max time.Duration
	// For is how long to go on in all; 0 means until the context ends.
	For time.Duration
}

// Wait is the pause before try number n+1, with n counted from 1.
func (b Backoff) Wait(n int) time.Duration {
	d := b.First
	for i := 1; i < n && d < b.Max; i++ {
		d *= 2
	}
	d = min(d, b.Max)
	if fifth := int64(d) / 5; fifth > 0 {
		d += time.Duration(rand.Int64N(2*fifth) - fifth)
	}
	return d
}

// Retry calls try until it succeeds, fails for good (not Temporary) or b is used up; the last error is returned. report,
// if not nil, hears of every failed try and of the pause before the next one.
func Retry(ctx context.Context, clock Clock, b Backoff, report func(err error, wait time.Duration), try func(context.Context) error) error {
	start := clock.Now()
	for n := 1; ; n++ {
		err := try(ctx)
		if err == nil || ctx.Err() != nil || !Temporary(err) {
			return err
		}
		wait := b.Wait(n)
		if spent := clock.Now().Sub(start); b.For > 0 && spent+wait > b.For {
			return fmt.Errorf("given up after %d tries in %s: %w", n, spent.Round(time.Second), err)
		}
		if report != nil {
			report(err, wait)
		}
		if err := clock.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}
