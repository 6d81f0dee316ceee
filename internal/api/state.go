package api

import (
	"context"

	"github.com/bootyard/bootyard/internal/wire"
)

// maxPieceBody is a piece in base64.
const maxPieceBody = wire.MaxStatePiece/3*4 + 64<<10

type statePath struct {
	State string `path:"state"`
}

// RunStatePath names a state store of a run.
type RunStatePath struct {
	Run   string `path:"run"`
	State string `path:"state"`
}

func (a *API) registerState() {
	s := a.Site
	answer(a, operation("GET", "/states", "List user states (USM-2)", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.UserState, error) {
		return list(s.UserStates(ctx))
	})
	answer(a, operation("GET", "/states/{state}", "Show a user state", wire.ScopeRead), func(ctx context.Context, in *statePath) (wire.UserState, error) {
		return s.UserState(ctx, in.State)
	})
	act(a, operation("DELETE", "/states/{state}", "Delete a user state for good", wire.ScopeAdmin), func(ctx context.Context, in *statePath) error {
		return s.DeleteUserState(ctx, in.State)
	})
	act(a, operation("POST", "/state-associations", "Say which machine restores what another captures (USM-3)", wire.ScopeAdmin), func(ctx context.Context, in *input[wire.StateAssociation]) error {
		return s.AssociateState(ctx, in.Body)
	})
}

func (a *API) registerAgentState() {
	agentAnswer(a, agentOperation("POST", wire.PathState, "request-state", maxAgentBody), func(ctx context.Context, in *runInput[wire.StateRequest]) (wire.StateStore, error) {
		return a.Site.RequestState(ctx, session(ctx), in.Run, in.Body)
	})
	put := agentOperation("PUT", wire.PathStatePiece, "put-state-piece", maxPieceBody)
	put.BodyReadTimeout = checkpointTime
	agentAct(a, put, func(ctx context.Context, in *struct {
		RunStatePath
		Number int `path:"number"`
		Body   wire.StatePiece
	}) error {
		return a.Site.PutStatePiece(ctx, session(ctx), in.Run, in.State, in.Number, in.Body)
	})
	agentAnswer(a, agentOperation("GET", wire.PathStatePiece, "state-piece", maxAgentBody), func(ctx context.Context, in *struct {
		RunStatePath
		Number int `path:"number"`
	}) (wire.StatePiece, error) {
		return a.Site.StatePiece(ctx, session(ctx), in.Run, in.State, in.Number)
	})
	complete := agentOperation("POST", wire.PathStateComplete, "complete-state", maxCheckpoint) // up to a million hashes
	complete.BodyReadTimeout = checkpointTime
	agentAct(a, complete, func(ctx context.Context, in *struct {
		RunStatePath
		Body wire.StateComplete
	}) error {
		return a.Site.CompleteState(ctx, session(ctx), in.Run, in.State, in.Body)
	})
	agentAct(a, agentOperation("POST", wire.PathStateRelease, "release-state", maxAgentBody), func(ctx context.Context, in *RunStatePath) error {
		return a.Site.ReleaseState(ctx, session(ctx), in.Run, in.State)
	})
}
