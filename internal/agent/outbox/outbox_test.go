package outbox_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/agent/outbox"
	"github.com/bootyard/bootyard/internal/wire"
)

// appliance takes status as the real one does: events only in their order, log bytes only at the end.
type appliance struct {
	mu     sync.Mutex
	events []wire.Event
	log    []byte
	finish *wire.Finish
	down   bool
	// loseAnswer lets requests through and loses what comes back.
	loseAnswer bool
	gone       bool
}

var errDown = errors.New("connection refused")

func (a *appliance) Do(_ context.Context, _, path string, in, out any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return errDown
	}
	if a.gone {
		return &wire.Problem{Status: http.StatusNotFound, Title: "no such run"}
	}
	switch {
	case strings.HasSuffix(path, "/events"):
		for _, e := range in.(wire.Events).Events {
			switch next := int64(len(a.events)) + 1; {
			case e.Number < next:
			case e.Number > next:
				return &wire.Problem{Status: http.StatusConflict, Title: "gap"}
			default:
				a.events = append(a.events, e)
			}
		}
	case strings.HasSuffix(path, "/log"):
		chunk := in.(wire.LogChunk)
		if chunk.Offset > int64(len(a.log)) {
			return &wire.Problem{Status: http.StatusConflict, Title: "gap"}
		}
		a.log = append(a.log[:chunk.Offset], chunk.Data...)
	case strings.HasSuffix(path, "/finish"):
		a.finish = in.(*wire.Finish)
	default:
		*out.(*wire.Run) = wire.Run{NextEvent: int64(len(a.events)) + 1, LogSize: int64(len(a.log))}
	}
	if a.loseAnswer {
		return errDown
	}
	return nil
}

func open(t *testing.T, dir string, line outbox.Line) *outbox.Outbox {
	t.Helper()
	b, err := outbox.Open(outbox.Options{Dir: dir, Run: "r1", Line: line, Backoff: link.Backoff{First: time.Millisecond, Max: time.Millisecond}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func texts(events []wire.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, e.Text)
	}
	return list
}

func post(b *outbox.Outbox, list ...string) {
	for _, text := range list {
		b.Post(wire.Event{Kind: wire.EventMessage, Text: text})
	}
}

func TestEverythingArrivesOnceAndInOrder(t *testing.T) {
	a := &appliance{}
	b := open(t, t.TempDir(), a)
	post(b, "one", "two")
	_, err := b.Write([]byte("log line\r\n"))
	require.NoError(t, err)
	require.NoError(t, b.Finish(wire.Finish{Succeeded: true}))
	require.NoError(t, b.Flush(context.Background()))
	require.True(t, b.Empty())
	require.Equal(t, []string{"one", "two"}, texts(a.events))
	require.Equal(t, "log line\r\n", string(a.log))
	require.True(t, a.finish.Succeeded)
}

func TestKilledAgentGoesOn(t *testing.T) {
	for name, lose := range map[string]bool{"nothing was sent": false, "sent, but the answer was lost": true} {
		t.Run(name, func(t *testing.T) {
			a, dir := &appliance{}, t.TempDir()
			b := open(t, dir, a)
			post(b, "one", "two")
			_, _ = b.Write([]byte("first "))
			if lose {
				require.NoError(t, b.FlushOnce(context.Background()))
				post(b, "three")
				_, _ = b.Write([]byte("second "))
				a.loseAnswer = true
				require.Error(t, b.FlushOnce(context.Background()))
				a.loseAnswer = false
			} else {
				post(b, "three")
				_, _ = b.Write([]byte("second "))
			}
			require.NoError(t, b.Close())

			b = open(t, dir, a)
			post(b, "four")
			_, _ = b.Write([]byte("third"))
			require.NoError(t, b.Flush(context.Background()))
			require.Equal(t, []string{"one", "two", "three", "four"}, texts(a.events))
			require.Equal(t, "first second third", string(a.log))
		})
	}
}

func TestMachineThatLostItsMemoryContinuesTheNumbers(t *testing.T) {
	a := &appliance{}
	b := open(t, t.TempDir(), a)
	post(b, "one")
	_, _ = b.Write([]byte("before "))
	require.NoError(t, b.Flush(context.Background()))

	again, err := outbox.Open(outbox.Options{Dir: t.TempDir(), Run: "r1", Line: a, Next: 2, Log: int64(len(a.log))})
	require.NoError(t, err)
	defer again.Close()
	post(again, "two")
	_, _ = again.Write([]byte("after"))
	require.NoError(t, again.Flush(context.Background()))
	require.Equal(t, []string{"one", "two"}, texts(a.events))
	require.Equal(t, "before after", string(a.log))
}

func TestStateCopiedBeforeTheLastBytesWereSent(t *testing.T) {
	a, dir := &appliance{}, t.TempDir()
	b := open(t, dir, a)
	_, _ = b.Write([]byte("copied "))
	require.NoError(t, b.Close())
	a.log = []byte("copied and more ") // sent by the agent that was left behind
	a.events = []wire.Event{{Text: "sent meanwhile"}}
	b = open(t, dir, a)
	post(b, "new")
	_, _ = b.Write([]byte("then new"))
	require.NoError(t, b.Flush(context.Background()))
	require.Equal(t, "copied and more then new", string(a.log))
	require.Equal(t, []string{"sent meanwhile", "new"}, texts(a.events))
}

func TestProgressDoesNotPileUp(t *testing.T) {
	a := &appliance{}
	b := open(t, t.TempDir(), a)
	for i := range 1000 {
		b.Post(wire.Event{Kind: wire.EventProgress, Pointer: 3, Percent: i / 10})
	}
	post(b, "done")
	require.NoError(t, b.Flush(context.Background()))
	require.Len(t, a.events, 2)
	require.Equal(t, 99, a.events[0].Percent)
}

func TestDeliveryGoesOnWhenTheApplianceIsBack(t *testing.T) {
	a := &appliance{down: true}
	b := open(t, t.TempDir(), a)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.Deliver(ctx); close(ended) }()
	defer func() { cancel(); <-ended }()
	post(b, "one")
	a.mu.Lock()
	a.down = false
	a.mu.Unlock()
	require.Eventually(t, b.Empty, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, []string{"one"}, texts(a.events))
}

func TestRunThatIsGoneEndsTheDelivery(t *testing.T) {
	a := &appliance{gone: true}
	b := open(t, t.TempDir(), a)
	post(b, "one")
	require.NoError(t, b.Flush(context.Background()))
	require.True(t, b.Empty())
}

func TestFlushEndsWithItsContext(t *testing.T) {
	a := &appliance{down: true}
	b := open(t, t.TempDir(), a)
	post(b, "one")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, b.Flush(ctx), errDown)
}

func TestEventsOfAnAgentThatNeverReachedTheAppliance(t *testing.T) {
	a, dir := &appliance{events: make([]wire.Event, 7)}, t.TempDir()
	a.down = true
	b := open(t, dir, a) // believes that the next number is 1
	post(b, "one", "two")
	require.Error(t, b.FlushOnce(context.Background()))
	require.NoError(t, b.Close())
	a.down = false
	b = open(t, dir, a)
	post(b, "three")
	require.NoError(t, b.Flush(context.Background()))
	require.Equal(t, []string{"one", "two", "three"}, texts(a.events[7:]))
}

// TS-162: after one failed delivery nothing more is sent until the next restart; what is queued is not lost.
func TestTS162DisableStatusRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dir := &appliance{down: true}, t.TempDir()
		b, err := outbox.Open(outbox.Options{Dir: dir, Run: "r1", Line: a, Backoff: link.Backoff{First: time.Millisecond, Max: time.Millisecond}, OneTry: func() bool { return true }})
		require.NoError(t, err)
		post(b, "one")
		ctx, cancel := context.WithCancel(t.Context())
		go b.Deliver(ctx)
		time.Sleep(time.Second)
		a.mu.Lock()
		a.down = false
		a.mu.Unlock()
		post(b, "two")
		time.Sleep(time.Hour)
		require.Empty(t, a.events)
		cancel()
		synctest.Wait()
		require.NoError(t, b.Close())
		b = open(t, dir, a) // the machine has restarted
		require.NoError(t, b.Flush(t.Context()))
		require.Equal(t, []string{"one", "two"}, texts(a.events))
		require.NoError(t, b.Close())
	})
}
