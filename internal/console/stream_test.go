package console_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// wireEnd is a browser's end of a stream, without a network, so that time can be virtual.
type wireEnd struct {
	mu     sync.Mutex
	header http.Header
	got    bytes.Buffer
}

func (w *wireEnd) Header() http.Header                { return w.header }
func (w *wireEnd) WriteHeader(int)                    {}
func (w *wireEnd) Flush()                             {}
func (w *wireEnd) SetWriteDeadline(_ time.Time) error { return nil }
func (w *wireEnd) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.got.Write(p)
}

// take returns what came since the last call.
func (w *wireEnd) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.got.Reset()
	return w.got.String()
}

// watch opens the stream in the bubble and returns its end and whether it is over.
func watch(t *testing.T, s *fakeSite) (*wireEnd, func() bool) {
	end, over := &wireEnd{header: http.Header{}}, make(chan struct{})
	r := httptest.NewRequest("GET", "/events", nil).WithContext(t.Context())
	r.AddCookie(&http.Cookie{Name: "bootyard_token", Value: goodToken})
	handler := newConsole(t, s, time.Now)
	go func() { defer close(over); handler.ServeHTTP(end, r) }()
	synctest.Wait()
	return end, func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	}
}

func TestQuietSiteGivesSignsOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(wire.MachineStatus{Name: "lab-01", LastSeen: time.Now()})
		end, over := watch(t, s)
		require.Contains(t, end.take(), "event: machines")
		time.Sleep(21 * time.Second) // virtual
		synctest.Wait()
		require.Equal(t, ": still here\n\n", end.take())
		time.Sleep(45 * time.Second)
		synctest.Wait()
		require.Contains(t, end.take(), "1 min ago", "ages grow although nothing happens")
		require.False(t, over())
		s.mu.Lock()
		s.revoked = true
		s.mu.Unlock()
		time.Sleep(21 * time.Second)
		synctest.Wait()
		require.True(t, over(), "a revoked token ends the stream also when nothing happens")
	})
}

func TestManyChangesAreOneUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(running())
		end, _ := watch(t, s)
		end.take()
		for i := range 100 {
			s.change(func() {
				run := *s.machines[0].Run
				run.Percent = i
				s.machines[0].Run = &run
			})
			time.Sleep(10 * time.Millisecond) // virtual
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := end.take()
		require.LessOrEqual(t, strings.Count(got, "event: machines"), 4)
		require.Contains(t, got[strings.LastIndex(got, "event:"):], "4 of 8, 99%", "the last state is shown")
	})
}
