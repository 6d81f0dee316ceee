package quiet_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/quiet"
)

// output is a log that several goroutines write.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (o *output) Reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b.Reset()
}

func newLog(rules ...quiet.Rule) (*quiet.Handler, *slog.Logger, *output) {
	out := &output{}
	h := quiet.NewHandler(slog.NewTextHandler(out, nil), nil, rules...)
	return h, slog.New(h), out
}

func TestRepeatedRefusalsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log, out := newLog(quiet.Rule{Message: "not answered", Same: []string{"mac", "reason"}}, quiet.Rule{Message: "withheld", Same: []string{"addr"}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		say := func(mac string) {
			log.With("k", "v").Info("not answered", "mac", mac, "reason", "not known", "xid", len(out.String()))
		}
		for range 100 {
			log.Info("withheld", "addr", "10.0.0.1:"+fmt.Sprint(1000+len(out.String())))
			say("a")
		}
		say("b")
		for range 3 {
			log.Info("something else")
		}
		require.Equal(t, 2, strings.Count(out.String(), "not answered"))
		require.Equal(t, 1, strings.Count(out.String(), "withheld"), "the port says nothing")
		require.Equal(t, 3, strings.Count(out.String(), "something else"), "only what a rule names")
		out.Reset()
		time.Sleep(2 * quiet.Window)
		synctest.Wait()
		require.Equal(t, 2, strings.Count(out.String(), "\n"), out.String())
		require.Contains(t, out.String(), "k=v mac=a")
		require.Contains(t, out.String(), "more_times=99")
		out.Reset()
		say("a")
		say("a")
		require.Equal(t, 1, strings.Count(out.String(), "mac=a"), "a new minute, a new line")
		cancel()
		<-done
		require.Contains(t, out.String(), "more_times=1", "the end tells what is left")
	})
}

// A flood grows neither the log nor the memory.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, log, out := newLog(quiet.Rule{Message: "not answered", Same: []string{"mac"}}, quiet.Rule{Message: "answered", Most: 10})
		for i := range 100_000 {
			log.Info("not answered", "mac", fmt.Sprint(i)+strings.Repeat("x", 1000))
			log.Info("answered", "mac", "a")
		}
		require.LessOrEqual(t, strings.Count(out.String(), "\n"), 210)
		out.Reset()
		time.Sleep(quiet.Window)
		log.Info("not answered", "mac", "a")
		log.Info("answered", "mac", "a")
		require.Equal(t, 4, strings.Count(out.String(), "\n"), out.String())
		require.Contains(t, out.String(), `of="not answered" left_out=99800`)
		require.Contains(t, out.String(), "of=answered left_out=99990")
	})
}
