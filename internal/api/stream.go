package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// streamPause bounds how often a page is sent news.
	streamPause     = 500 * time.Millisecond
	streamHeartbeat = 15 * time.Second
)

// registerRaw adds what is no JSON operation.
func (a *API) registerRaw() {
	a.mux.HandleFunc("GET "+root+"/stream", a.stream)
	a.mux.HandleFunc("POST "+root+"/login", a.login)
	a.mux.HandleFunc("POST "+uploadPath, a.upload)
	a.mux.HandleFunc("GET "+root+"/openapi.json", func(w http.ResponseWriter, r *http.Request) { a.document(w, r, a.admin.OpenAPI()) })
	a.mux.HandleFunc("GET "+root+"/agent/openapi.json", func(w http.ResponseWriter, r *http.Request) { a.document(w, r, a.agent.OpenAPI()) })
	if a.Metrics != nil {
		a.mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
			if a.permit(w, r, wire.ScopeRead) {
				a.Metrics.ServeHTTP(w, r)
			}
		})
	}
	// What does not exist looks the same as what needs a token.
	a.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		if !a.permit(w, r, wire.ScopeRead) {
			return
		}
		writeProblem(w, &wire.Problem{Title: "Not Found", Status: 404, Detail: "there is no such operation", Remedy: "see " + root + "/openapi.json"})
	})
}

// permit answers the refusal itself and reports whether the request may go on.
func (a *API) permit(w http.ResponseWriter, r *http.Request, scope wire.Scope) bool {
	who, err := a.authenticate(r)
	if err == nil {
		err = allow(who, scope)
	}
	if err == nil {
		return true
	}
	var p *wire.Problem
	if !errors.As(a.fail(r.Context(), err), &p) {
		p = noToken()
	}
	writeProblem(w, p)
	return false
}

func (a *API) document(w http.ResponseWriter, r *http.Request, doc any) {
	if !a.permit(w, r, wire.ScopeRead) {
		return
	}
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json")
	_ = json.NewEncoder(w).Encode(doc)
}

// login turns a token into the page's cookie. The cookie is the token, so it
// ends when the token is revoked.
func (a *API) login(w http.ResponseWriter, r *http.Request) {
	if !a.sessions.Allow(remote(r.RemoteAddr)) {
		busy(w)
		return
	}
	var in struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&in); err != nil {
		writeProblem(w, &wire.Problem{Title: "Bad Request", Status: 400, Detail: "the body is not JSON with a token", Field: "token"})
		return
	}
	if _, err := a.Site.AuthenticateAdmin(r.Context(), in.Token); err != nil {
		writeProblem(w, noToken())
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: in.Token, Path: "/", HttpOnly: true, Secure: !local(r.Context()), SameSite: http.SameSiteStrictMode})
	w.WriteHeader(http.StatusNoContent)
}

// stream sends the list of machines whenever something changed, as server-sent
// events named "machines".
func (a *API) stream(w http.ResponseWriter, r *http.Request) {
	if !a.permit(w, r, wire.ScopeRead) {
		return
	}
	select {
	case a.streams <- struct{}{}:
		defer func() { <-a.streams }()
	default:
		busy(w)
		return
	}
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	ctx, seen := r.Context(), uint64(0)
	for {
		_ = control.SetWriteDeadline(time.Now().Add(30 * time.Second))
		now, err := a.next(ctx, seen)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			_, err = fmt.Fprint(w, ": still here\n\n")
		default:
			seen = now
			err = a.sendMachines(ctx, w, seen)
		}
		if err != nil || control.Flush() != nil {
			return
		}
		// A token may be revoked while the page is open.
		if !local(ctx) {
			if _, err := a.authenticate(r); err != nil {
				return
			}
		}
		pause(ctx, streamPause)
	}
}

func (a *API) next(ctx context.Context, seen uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, streamHeartbeat)
	defer cancel()
	return a.Site.WaitChange(ctx, seen)
}

func (a *API) sendMachines(ctx context.Context, w http.ResponseWriter, revision uint64) error {
	list, err := a.Site.Machines(ctx, 0)
	if err != nil {
		return err
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "id: %d\nevent: machines\ndata: %s\n\n", revision, data)
	return err
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
