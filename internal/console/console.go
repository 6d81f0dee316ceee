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
	eventsPath  = "/events"
	cookieName  = "bootyard_token"
	cookieLife  = 12 * time.Hour
	maxForm     = 4 << 10
	maxRequests = 128 // at the same time, streams not counted: each asks the database once
	maxMachines = 1000
)

// contentPolicy allows this page's own files and nothing else: no inline script, no frame, no foreign host.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Site is what the page needs of the appliance. Its methods are called by many requests at once.
type Site interface {
	// Machines lists what is known of each machine, the latest first.
	Machines(ctx context.Context, limit int) ([]wire.MachineStatus, error)
	// WaitChange returns when the site's revision is not seen any more, or with the context's error. A revision is
	// never 0.
	WaitChange(ctx context.Context, seen uint64) (uint64, error)
	// MayRead says whether an API token may see status.
	MayRead(ctx context.Context, token string) bool
}

// Console serves the page. It is safe for concurrent use.
type Console struct {
	site    Site
	log     *slog.Logger
	page    *template.Template
	list    *list
	streams chan struct{}
	running chan struct{}
	handler http.Handler
}

// New makes the page. now is the clock that ages are told by.
func New(s Site, log *slog.Logger, now func() time.Time) (*Console, error) {
	c := &Console{site: s, log: log, streams: make(chan struct{}, maxStreams), running: make(chan struct{}, maxRequests)}
	pages, err := template.ParseFS(files, "page.html", "machines.html")
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	c.page, c.list = pages.Lookup("page.html"), &list{site: s, now: now, page: pages.Lookup("machines.html")}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, fmt.Errorf("open page files: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.index)
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("POST /logout", c.logout)
	mux.HandleFunc("GET "+eventsPath, c.events)
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		mux.HandleFunc("GET /static/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache") // a new version of the appliance brings a new page
			http.ServeFileFS(w, r, static, name)
		})
	}
	// No other page may sign somebody in or out.
	c.handler = http.NewCrossOriginProtection().Handler(mux)
	return c, nil
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if r.URL.Path != eventsPath {
		select {
		case c.running <- struct{}{}:
			defer func() { <-c.running }()
		default:
			h.Set("Retry-After", "2")
			http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
			return
		}
	}
	c.handler.ServeHTTP(w, r)
}

func (c *Console) allowed(r *http.Request) bool {
	cookie, err := r.Cookie(cookieName)
	return err == nil && cookie.Value != "" && c.site.MayRead(r.Context(), cookie.Value)
}

// view is what page.html shows.
type view struct {
	In    bool   // signed in
	Error string // why signing in did not work
}

func (c *Console) index(w http.ResponseWriter, r *http.Request) {
	c.show(w, http.StatusOK, view{In: c.allowed(r)})
}

func (c *Console) show(w http.ResponseWriter, status int, v view) {
	var out bytes.Buffer
	if err := c.page.Execute(&out, v); err != nil {
		c.log.Error("make page", "err", err)
		http.Error(w, "the page cannot be made; see the appliance's log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a browser that left is no error of ours
}

func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	token := strings.TrimSpace(r.PostFormValue("token"))
	if token == "" || !c.site.MayRead(r.Context(), token) {
		c.show(w, http.StatusForbidden, view{Error: "That token is not valid here: it may be mistyped, expired or revoked."})
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
