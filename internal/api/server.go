package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/bootyard/bootyard/internal/limit"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	root = "/api/v1"
	// maxInFlight bounds requests that are answered at the same time. Streams
	// are counted by themselves.
	maxInFlight = 512
	maxStreams  = 64
	// maxLarge bounds requests with a body above largeBody: each may hold a
	// checkpoint of 44 MiB (32 in base64) in memory.
	maxLarge  = 4
	largeBody = 2 << 20
)

// Options are what an API is made of. Site is needed.
type Options struct {
	Site *site.Service
	Log  *slog.Logger
	// Version is the build's, for the OpenAPI document.
	Version string
	// Verify hashes a package's stored files again; nil means not available.
	Verify func(ctx context.Context, packageID string) (any, error)
	// OpenBlob opens the file with a SHA-256 in hexadecimal digits; nil means not
	// available.
	OpenBlob func(sha256 string) (io.ReadCloser, error)
	// Staging is a folder for uploads on their way into the library; empty
	// means that packages can be imported by the socket only.
	Staging string
	// Metrics answers GET /metrics for a token of scope read; nil means not
	// available.
	Metrics http.Handler
	// Programs are the files of the agent for systems that are applied, by system and
	// architecture as Go names them: windows/amd64. One that is missing is told to
	// the machine that asks for it.
	Programs map[string]string
}

// API serves both listeners. It is safe for concurrent use.
type API struct {
	Options
	mux      *http.ServeMux
	admin    huma.API
	agent    huma.API
	inFlight chan struct{}
	large    chan struct{}
	streams  chan struct{}
	uploads  chan struct{}
	sessions *limit.Limiter
	messages *limit.Limiter // that agents send outside a run, by device
}

// New registers all operations.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{Options: o, mux: http.NewServeMux(), inFlight: make(chan struct{}, maxInFlight), large: make(chan struct{}, maxLarge),
		streams: make(chan struct{}, maxStreams), uploads: make(chan struct{}, maxUploads), sessions: limit.New(5, 60, nil),
		messages: limit.New(messagesPerSecond, messageBurst, nil)}
	a.admin = a.newAPI("bootyard", true)
	a.agent = a.newAPI("bootyard agent", false)
	a.admin.UseMiddleware(a.adminOnly)
	a.agent.UseMiddleware(a.agentOnly)
	a.registerAgent()
	a.registerPrograms()
	a.registerInventory()
	a.registerCatalog()
	a.registerSoftware()
	a.registerState()
	a.registerDeployments()
	a.registerStatus()
	a.registerDebug()
	a.registerTrust()
	a.registerRaw()
	return a
}

// newAPI makes a huma API on the shared mux. The agent's accepts fields that
// it does not know, since agents and appliance may be one version apart; a
// person's typing error is refused.
func (a *API) newAPI(title string, strict bool) huma.API {
	c := huma.DefaultConfig(title, a.Version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // no $schema links in answers
	c.AllowAdditionalPropertiesByDefault = !strict
	c.FieldsOptionalByDefault = true
	c.NoFormatFallback = false
	c.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	c.Transformers = []huma.Transformer{plainProblem}
	return humago.New(a.mux, c)
}

// HTTPS is the handler for the network: every request needs a token.
func (a *API) HTTPS() http.Handler { return a.guard(a.mux) }

// Socket is the handler for the unix socket, whose file permission is the
// authentication: only root may open it.
func (a *API) Socket() http.Handler {
	h := a.guard(a.mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), localKey{}, true)
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

type localKey struct{}

func local(ctx context.Context) bool { return ctx.Value(localKey{}) != nil }

// Servers of this API should use these limits.
const (
	ReadHeaderTimeout = 10 * time.Second
	IdleTimeout       = 2 * time.Minute
	MaxHeaderBytes    = 32 << 10
)

// guard is around everything: it bounds work and survives a panic.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			a.Log.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", p)
			writeProblem(w, &wire.Problem{Title: "Internal Server Error", Status: 500, Remedy: "look into the appliance's log and report the error"})
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.Path == root+"/stream" {
			next.ServeHTTP(w, r)
			return
		}
		select {
		case a.inFlight <- struct{}{}:
			defer func() { <-a.inFlight }()
		default:
			busy(w)
			return
		}
		if (r.ContentLength > largeBody || r.ContentLength < 0) && r.URL.Path != uploadPath {
			timer := time.NewTimer(30 * time.Second)
			defer timer.Stop()
			select {
			case a.large <- struct{}{}:
				defer func() { <-a.large }()
			case <-timer.C:
				busy(w)
				return
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "2")
	writeProblem(w, &wire.Problem{Title: "Service Unavailable", Status: http.StatusServiceUnavailable, Detail: "too many requests at once", Remedy: "try again in a moment"})
}
