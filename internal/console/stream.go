package console

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxStreams   = 64
	keepAlive    = 20 * time.Second
	writeTimeout = 30 * time.Second
	minInterval  = 500 * time.Millisecond // between two updates of one stream
)

// list makes the list of machines once for all pages that look at the same revision: asking the database costs more than
// sending. It is safe for concurrent use.
type list struct {
	site Site
	now  func() time.Time
	page *template.Template

	mu       sync.Mutex
	revision uint64
	made     time.Time
	html     string
}

// at returns the list as it is at revision or later. Ages in it are not older than keepAlive.
func (l *list) at(ctx context.Context, revision uint64) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.revision >= revision && now.Sub(l.made) < keepAlive {
		return l.html, nil
	}
	machines, err := l.site.Machines(ctx, maxMachines)
	if err != nil {
		return "", fmt.Errorf("list machines: %w", err)
	}
	var out bytes.Buffer
	if err := l.page.Execute(&out, overview(machines, now)); err != nil {
		return "", fmt.Errorf("make list of machines: %w", err)
	}
	l.revision, l.made, l.html = revision, now, out.String()
	return l.html, nil
}

// events streams the list of machines as HTML until the browser goes away. The token is looked at again before each
// update and each sign of life, so a revoked one sees no more.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	if !c.allowed(r) {
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if err := c.stream(w, r); err != nil && r.Context().Err() == nil {
		c.log.Info("page stream ended", "addr", r.RemoteAddr, "err", err)
	}
}

func (c *Console) stream(w http.ResponseWriter, r *http.Request) error {
	out := http.NewResponseController(w)
	var seen uint64
	var last string
	for {
		var err error
		if seen, err = c.wait(r.Context(), seen); err != nil {
			return err
		}
		if !c.allowed(r) {
			return nil
		}
		body, err := c.list.at(r.Context(), seen)
		if err != nil {
			return err
		}
		if err := out.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		message := event(body)
		if body == last {
			message = ": still here\n\n"
		}
		if _, err = fmt.Fprint(w, message); err != nil {
			return err
		}
		last = body
		if err := out.Flush(); err != nil {
			return err
		}
		if err := pause(r.Context(), minInterval); err != nil {
			return err
		}
	}
}

// endsLine are the characters that end a line of an event stream (HTML standard, section 9.2.5). A carriage return in
// what a machine told would otherwise end the event in its middle.
var endsLine = strings.NewReplacer("\r\n", "\ndata: ", "\n", "\ndata: ", "\r", "\ndata: ")

func event(body string) string {
	return "event: machines\ndata: " + endsLine.Replace(body) + "\n\n"
}

// wait returns at the next change, at the latest when it is time for a sign of life.
func (c *Console) wait(ctx context.Context, seen uint64) (uint64, error) {
	limited, cancel := context.WithTimeout(ctx, keepAlive)
	defer cancel()
	now, err := c.site.WaitChange(limited, seen)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return seen, nil
	}
	return now, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
