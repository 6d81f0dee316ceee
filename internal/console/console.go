package console

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

//go:embed static page.html machines.html
var files embed.FS

const (
	cookieName   = "bootyard_token"
	cookieLife   = 12 * time.Hour
	maxForm      = 4 << 10
	maxMachines  = 1000
	maxStreams   = 64
	keepAlive    = 20 * time.Second
	writeTimeout = 30 * time.Second
	minInterval  = 500 * time.Millisecond // between two updates of one stream
)

// Site is what the page needs of the appliance.
type Site interface {
	// Machines lists what is known of each machine, the latest first.
	Machines(ctx context.Context, limit int) ([]wire.MachineStatus, error)
	// WaitChange returns when the site's revision is not seen any more.
	WaitChange(ctx context.Context, seen uint64) (uint64, error)
	// MayRead says whether an API token may see status.
	MayRead(ctx context.Context, token string) bool
}

// Console serves the page. It is safe for concurrent use.
type Console struct {
	site     Site
	log      *slog.Logger
	now      func() time.Time
	page     *template.Template
	machines *template.Template
	streams  chan struct{}
	mux      *http.ServeMux
}

// New makes the page.
func New(s Site, log *slog.Logger, now func() time.Time) (*Console, error) {
	c := &Console{site: s, log: log, now: now, streams: make(chan struct{}, maxStreams), mux: http.NewServeMux()}
	var err error
	if c.page, err = template.ParseFS(files, "page.html"); err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	if c.machines, err = template.ParseFS(files, "machines.html"); err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, fmt.Errorf("open page files: %w", err)
	}
	c.mux.HandleFunc("GET /{$}", c.index)
	c.mux.HandleFunc("POST /login", c.login)
	c.mux.HandleFunc("POST /logout", c.logout)
	c.mux.HandleFunc("GET /events", c.events)
	c.mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	return c, nil
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	c.mux.ServeHTTP(w, r)
}

func (c *Console) allowed(r *http.Request) bool {
	cookie, err := r.Cookie(cookieName)
	return err == nil && c.site.MayRead(r.Context(), cookie.Value)
}

func (c *Console) index(w http.ResponseWriter, r *http.Request) {
	in := c.allowed(r)
	c.show(w, http.StatusOK, map[string]any{"In": in})
}

func (c *Console) show(w http.ResponseWriter, status int, data map[string]any) {
	var out bytes.Buffer
	if err := c.page.Execute(&out, data); err != nil {
		c.log.Error("make page", "err", err)
		http.Error(w, "the page cannot be made; see the appliance's log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(out.Bytes())
}

func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	token := strings.TrimSpace(r.PostFormValue("token"))
	if token == "" || !c.site.MayRead(r.Context(), token) {
		c.show(w, http.StatusForbidden, map[string]any{"Error": "That token is not valid here. Make one with: bootyard token create NAME --scope read"})
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: token, Path: "/", MaxAge: int(cookieLife.Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// events streams the list of machines as HTML until the browser goes away. The
// token is looked at again before each update, so a revoked one sees no more.
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
		c.log.Debug("page stream ended", "err", err)
	}
}

func (c *Console) stream(w http.ResponseWriter, r *http.Request) error {
	out := http.NewResponseController(w)
	var seen uint64
	var last string
	for c.allowed(r) {
		body, err := c.render(r.Context())
		if err != nil {
			return err
		}
		if err := out.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		if body == last {
			_, err = fmt.Fprint(w, ": still here\n\n")
		} else {
			_, err = fmt.Fprintf(w, "event: machines\ndata: %s\n\n", strings.ReplaceAll(body, "\n", "\ndata: "))
		}
		if err != nil {
			return err
		}
		last = body
		if err := out.Flush(); err != nil {
			return err
		}
		if seen, err = c.wait(r.Context(), seen); err != nil {
			return err
		}
	}
	return nil
}

// wait returns at the next change, at the earliest after minInterval, at the
// latest when it is time for a sign of life.
func (c *Console) wait(ctx context.Context, seen uint64) (uint64, error) {
	pause := time.NewTimer(minInterval)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return seen, ctx.Err()
	case <-pause.C:
	}
	limited, cancel := context.WithTimeout(ctx, keepAlive)
	defer cancel()
	now, err := c.site.WaitChange(limited, seen)
	if ctx.Err() == nil && limited.Err() != nil {
		return seen, nil
	}
	return now, err
}

func (c *Console) render(ctx context.Context) (string, error) {
	list, err := c.site.Machines(ctx, maxMachines)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := c.machines.Execute(&out, rows(list, c.now())); err != nil {
		return "", fmt.Errorf("make list of machines: %w", err)
	}
	return out.String(), nil
}
