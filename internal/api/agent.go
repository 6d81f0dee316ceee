package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/bootyard/bootyard/internal/wire"
)

const (
	maxAgentBody = 1 << 20
	// Messages outside a run are written into the site's record, so a machine
	// may send one a second; the first policy may bring many at once (RRN-9).
	messagesPerSecond = 1
	messageBurst      = 60
	// Whoever opens a session has shown no credential yet, and each holds one
	// of maxInFlight while its body arrives.
	maxOpenBody    = 64 << 10
	openBodyTime   = 5 * time.Second
	maxEventsBody  = 4 << 20
	maxLogBody     = 2 << 20  // 1 MiB in base64
	maxCheckpoint  = 45 << 20 // 32 MiB in base64
	agentBodyTime  = 30 * time.Second
	checkpointTime = 2 * time.Minute
)

type runInput[T any] struct {
	Run  string `path:"run"`
	Body T
}

// RunPath names a run.
type RunPath struct {
	Run string `path:"run"`
}

type sessionInput struct {
	Remote string `json:"-"`
	Body   wire.SessionRequest
}

// Resolve notes the address that the request came from.
func (i *sessionInput) Resolve(ctx huma.Context) []error {
	i.Remote = remote(ctx.RemoteAddr())
	return nil
}

type passwordInput struct {
	Remote string `json:"-"`
	Body   wire.Password
}

// Resolve notes the address that the request came from.
func (i *passwordInput) Resolve(ctx huma.Context) []error {
	i.Remote = remote(ctx.RemoteAddr())
	return nil
}

func agentOperation(method, path, summary string, maxBody int64) huma.Operation {
	return huma.Operation{
		OperationID: summary, Method: method, Path: path, Summary: summary, MaxBodyBytes: maxBody, BodyReadTimeout: agentBodyTime,
		// Bodies are checked by the site. A schema would hold a checkpoint in
		// memory twice and refuse an agent that is one version apart.
		SkipValidateBody: true,
		Metadata:         map[string]any{},
		Errors:           []int{401, 404, 409, 410, 422},
		Security:         []map[string][]string{{"bearer": {}}},
	}
}

func agentAnswer[I, O any](a *API, op huma.Operation, fn func(context.Context, *I) (O, error)) {
	huma.Register(a.agent, op, func(ctx context.Context, in *I) (*output[O], error) {
		v, err := fn(ctx, in)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &output[O]{v}, nil
	})
}

func agentAct[I any](a *API, op huma.Operation, fn func(context.Context, *I) error) {
	op.DefaultStatus = http.StatusNoContent
	huma.Register(a.agent, op, func(ctx context.Context, in *I) (*none, error) {
		if err := fn(ctx, in); err != nil {
			return nil, a.fail(ctx, err)
		}
		return nil, nil
	})
}

func (a *API) registerAgent() {
	a.registerAgentState()
	a.registerAgentCapture()
	open := agentOperation("POST", wire.PathSession, "open-session", maxOpenBody)
	open.BodyReadTimeout = openBodyTime
	open.Metadata["open"], open.Security = true, nil
	agentAnswer(a, open, func(ctx context.Context, in *sessionInput) (wire.SessionResponse, error) {
		return a.Site.OpenSession(ctx, in.Body, in.Remote)
	})
	password := agentOperation("POST", wire.PathPassword, "password", maxOpenBody)
	password.Metadata["locked"] = true
	agentAct(a, password, func(ctx context.Context, in *passwordInput) error {
		return a.Site.Unlock(ctx, session(ctx), in.Body.Password, in.Remote)
	})
	agentAnswer(a, agentOperation("POST", wire.PathPolicy, "policy", maxAgentBody), func(ctx context.Context, in *input[wire.PolicyRequest]) (wire.Policy, error) {
		return a.Site.Policy(ctx, session(ctx), in.Body)
	})
	agentAnswer(a, agentOperation("POST", wire.PathRuns, "claim-run", maxAgentBody), func(ctx context.Context, in *input[wire.ClaimRequest]) (wire.Run, error) {
		return a.Site.Claim(ctx, session(ctx), in.Body)
	})
	agentAnswer(a, agentOperation("GET", wire.PathRun, "run", maxAgentBody), func(ctx context.Context, in *RunPath) (wire.Run, error) {
		return a.Site.Run(ctx, session(ctx), in.Run)
	})
	checkpoint := agentOperation("PUT", wire.PathCheckpoint, "checkpoint", maxCheckpoint)
	checkpoint.BodyReadTimeout = checkpointTime
	agentAct(a, checkpoint, func(ctx context.Context, in *runInput[wire.Checkpoint]) error {
		return a.Site.Checkpoint(ctx, session(ctx), in.Run, in.Body)
	})
	agentAct(a, agentOperation("POST", wire.PathEvents, "events", maxEventsBody), func(ctx context.Context, in *runInput[wire.Events]) error {
		return a.Site.AddEvents(ctx, session(ctx), in.Run, in.Body.Events)
	})
	agentAct(a, agentOperation("PUT", wire.PathLog, "log", maxLogBody), func(ctx context.Context, in *runInput[wire.LogChunk]) error {
		_, err := a.Site.AppendLog(ctx, session(ctx), in.Run, in.Body)
		return err
	})
	agentAct(a, agentOperation("POST", wire.PathFinish, "finish", maxAgentBody), func(ctx context.Context, in *runInput[wire.Finish]) error {
		return a.Site.Finish(ctx, session(ctx), in.Run, in.Body)
	})
	agentAnswer(a, agentOperation("POST", wire.PathResume, "resume-token", maxAgentBody), func(ctx context.Context, in *RunPath) (wire.ResumeToken, error) {
		return a.Site.ResumeToken(ctx, session(ctx), in.Run)
	})
	agentAnswer(a, agentOperation("GET", wire.PathContent, "content", maxAgentBody), func(ctx context.Context, in *struct {
		Package string `path:"package"`
	}) (wire.ContentLocations, error) {
		return a.Site.ContentLocations(ctx, session(ctx), in.Package)
	})
	agentAct(a, agentOperation("PUT", wire.PathFacts, "facts", maxAgentBody), func(ctx context.Context, in *input[wire.FactSheet]) error {
		return a.Site.KeepFacts(ctx, session(ctx), in.Body)
	})
	agentAnswer(a, agentOperation("POST", wire.PathSoftware, "software", maxAgentBody), func(ctx context.Context, in *input[wire.SoftwareQuery]) (wire.SoftwareAnswer, error) {
		return a.Site.Software(ctx, session(ctx), in.Body)
	})
	agentAnswer(a, agentOperation("POST", wire.PathDrivers, "drivers", maxLogBody), func(ctx context.Context, in *input[wire.DriverQuery]) (wire.DriverAnswer, error) {
		return a.Site.DriverOffers(ctx, session(ctx), in.Body)
	})
	message := agentOperation("POST", wire.PathPreflight, "message", maxLogBody)
	message.Metadata["locked"] = true // such as: it waits for the password
	agentAct(a, message, func(ctx context.Context, in *input[wire.Message]) error {
		who := session(ctx)
		if !a.messages.Allow(who.Device) {
			return &wire.Problem{Title: "Too Many Requests", Status: http.StatusTooManyRequests, Detail: "too many messages from this machine", Remedy: "wait a minute"}
		}
		return a.Site.Preflight(ctx, who, in.Body)
	})
}
