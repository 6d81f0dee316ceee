package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// problem is a wire.Problem that huma accepts as an error with a status.
type problem struct{ *wire.Problem }

// GetStatus implements huma.StatusError.
func (p problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p problem) ContentType(string) string { return wire.ProblemContentType }

// Unwrap gives the problem to errors.As.
func (p problem) Unwrap() error { return p.Problem }

// MarshalJSON writes the problem itself and not the wrapper.
func (p problem) MarshalJSON() ([]byte, error) { return json.Marshal(p.Problem) }

// plainProblem turns huma's own errors into ours. The value that was refused is
// left out: it may be a secret.
func plainProblem(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &wire.Problem{Title: m.Title, Status: m.Status, Detail: m.Detail}
	for _, d := range m.Errors {
		p.Problems = append(p.Problems, wire.FieldError{Field: d.Location, Detail: d.Message})
	}
	if len(p.Problems) > 0 {
		p.Field = p.Problems[0].Field
	}
	return problem{p}, nil
}

// fail turns an error of the site into the answer. Problems are for the
// caller; anything else is logged and told as an internal error.
func (a *API) fail(ctx context.Context, err error) error {
	var p *wire.Problem
	switch {
	case errors.As(err, &p):
		return problem{p}
	case errors.Is(err, store.ErrNotFound):
		return problem{&wire.Problem{Title: "Not Found", Status: 404, Detail: err.Error(), Remedy: "check the id"}}
	case errors.Is(err, store.ErrConflict):
		return problem{&wire.Problem{Title: "Conflict", Status: 409, Detail: err.Error(), Remedy: "look at what is there and try again"}}
	case ctx.Err() != nil:
		return problem{&wire.Problem{Title: "Service Unavailable", Status: 503, Detail: "the request was given up", Remedy: "try again"}}
	}
	a.Log.Error("request failed", "err", err)
	detail := ""
	if local(ctx) { // the administrator on the machine itself may read causes
		detail = err.Error()
	}
	return problem{&wire.Problem{Title: "Internal Server Error", Status: 500, Detail: detail, Remedy: "look into the appliance's log; correct what it names and try again"}}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func writeProblem(w http.ResponseWriter, p *wire.Problem) {
	w.Header().Set("Content-Type", wire.ProblemContentType)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// deny answers from a huma middleware.
func deny(ctx huma.Context, err error) {
	var p *wire.Problem
	if !errors.As(err, &p) {
		p = &wire.Problem{Title: "Internal Server Error", Status: 500}
	}
	ctx.SetHeader("Content-Type", wire.ProblemContentType)
	if p.Status == http.StatusUnauthorized {
		ctx.SetHeader("WWW-Authenticate", "Bearer")
	}
	ctx.SetStatus(p.Status)
	_ = json.NewEncoder(ctx.BodyWriter()).Encode(p)
}
