package api

import (
	"context"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"github.com/bootyard/bootyard/internal/wire"
)

// LimitQuery narrows a list.
type LimitQuery struct {
	Device string `query:"device"`
	Limit  int    `query:"limit" minimum:"0" maximum:"1000"`
}

func (a *API) registerStatus() {
	s := a.Site
	answer(a, operation("GET", "/status", "Every machine with its latest run and boot", wire.ScopeRead), func(ctx context.Context, in *LimitQuery) ([]wire.MachineStatus, error) {
		return list(s.Machines(ctx, in.Limit))
	})
	answer(a, operation("GET", "/runs", "List runs, newest first", wire.ScopeRead), func(ctx context.Context, in *struct {
		LimitQuery
		Deployment string `query:"deployment"`
	}) ([]wire.RunInfo, error) {
		return list(s.Runs(ctx, in.Device, in.Deployment, in.Limit))
	})
	answer(a, operation("GET", "/runs/{run}", "Show a run with its phases", wire.ScopeRead), func(ctx context.Context, in *RunPath) (wire.RunInfo, error) {
		return s.RunInfo(ctx, in.Run)
	})
	answer(a, operation("GET", "/runs/{run}/events", "List up to 1000 events of a run", wire.ScopeRead), func(ctx context.Context, in *struct {
		RunPath
		After int64 `query:"after" minimum:"0"`
	}) ([]wire.Event, error) {
		return list(s.RunEvents(ctx, in.Run, in.After))
	})
	huma.Register(a.admin, operation("GET", "/runs/{run}/log", "The log of a run", wire.ScopeRead), func(ctx context.Context, in *RunPath) (*huma.StreamResponse, error) {
		log, err := s.RunLog(ctx, in.Run)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			defer func() { _ = log.Close() }()
			c.SetHeader("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.Copy(c.BodyWriter(), log)
		}}, nil
	})
	answer(a, operation("POST", "/runs/{run}/cancel", "Cancel a run; a device may be named instead", wire.ScopeWrite), func(ctx context.Context, in *RunPath) (wire.RunInfo, error) {
		return s.Cancel(ctx, in.Run)
	})
	answer(a, operation("GET", "/boots", "List firmware attempts, newest first", wire.ScopeRead), func(ctx context.Context, in *LimitQuery) ([]wire.Boot, error) {
		return list(s.Boots(ctx, in.Device, in.Limit))
	})
	answer(a, operation("GET", "/boots/{boot}", "Show a firmware attempt with every answer", wire.ScopeRead), func(ctx context.Context, in *struct {
		Boot string `path:"boot"`
	}) (wire.Boot, error) {
		return s.Boot(ctx, in.Boot)
	})
	answer(a, operation("GET", "/messages", "The site's record, newest first", wire.ScopeRead), func(ctx context.Context, in *struct {
		Kind string `query:"kind" doc:"audit, status or alert"`
	}) ([]wire.StatusMessage, error) {
		return list(s.Messages(ctx, in.Kind))
	})
	answer(a, operation("GET", "/alerts", "List alerts", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.Alert, error) {
		return list(s.Alerts(ctx))
	})
	answer(a, operation("GET", "/wake", "What was sent to wake devices", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.WakeRecord, error) {
		return list(s.WakeRecords(ctx))
	})
	answer(a, operation("POST", "/wake", "Wake devices now (WOL-7)", wire.ScopeWrite), func(ctx context.Context, in *input[struct {
		Devices []string `json:"devices" maxItems:"1000"`
	}]) (wire.WakeResult, error) {
		return s.WakeNow(ctx, in.Body.Devices)
	})
}
