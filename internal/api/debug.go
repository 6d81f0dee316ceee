package api

import (
	"context"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

const (
	maxDebugBody = 4 << 20
	maxShellBody = 256 << 10 // 64 KiB in base64, with room
)

// HoldQuery says how long an answer may wait for news, in seconds.
type HoldQuery struct {
	Hold int `query:"hold" minimum:"0" maximum:"25" doc:"wait up to so many seconds for news"`
}

func (h HoldQuery) long() time.Duration { return time.Duration(h.Hold) * time.Second }

// ShellPath names a shell of a run.
type ShellPath struct {
	RunPath
	Shell string `path:"shell"`
}

// OffsetQuery asks for what follows an offset.
type OffsetQuery struct {
	HoldQuery
	Offset int64 `query:"offset" minimum:"0"`
}

// registerDebug has the debugger of task sequences (TS-173): for people, who
// need scope admin (DBG-6), and for the agents.
func (a *API) registerDebug() {
	s := a.Site
	answer(a, operation("GET", "/runs/{run}/debug", "Attach to a run in debug mode; a device may be named instead (TS-173)", wire.ScopeAdmin), func(ctx context.Context, in *struct {
		RunPath
		HoldQuery
		After int64 `query:"after" minimum:"0" doc:"wait until the revision is another"`
	}) (wire.DebugView, error) {
		return s.DebugView(ctx, in.Run, in.After, in.long())
	})
	answer(a, operation("POST", "/runs/{run}/debug", "Tell a run in debug mode what to do (DBG-3)", wire.ScopeAdmin), func(ctx context.Context, in *struct {
		RunPath
		Body wire.DebugAsk
	}) (wire.DebugCommand, error) {
		return s.DebugCommand(ctx, in.Run, in.Body)
	})
	answer(a, operation("POST", "/runs/{run}/shells", "Open a shell in the boot environment of a run in debug mode (DBG-3)", wire.ScopeAdmin), func(ctx context.Context, in *struct {
		RunPath
		Body wire.ShellOpen
	}) (wire.ShellOrder, error) {
		return s.OpenShell(ctx, in.Run, in.Body)
	})
	answer(a, operation("POST", "/runs/{run}/shells/{shell}/input", "Type into a shell", wire.ScopeAdmin), func(ctx context.Context, in *struct {
		ShellPath
		Body wire.ShellChunk
	}) (wire.ShellTaken, error) {
		return s.ShellWrite(ctx, in.Run, in.Shell, in.Body)
	})
	answer(a, operation("GET", "/runs/{run}/shells/{shell}/output", "Read what a shell printed", wire.ScopeAdmin), func(ctx context.Context, in *struct {
		ShellPath
		OffsetQuery
	}) (wire.ShellChunk, error) {
		return s.ShellRead(ctx, in.Run, in.Shell, in.Offset, in.long())
	})
	agentAnswer(a, agentOperation("POST", wire.PathDebug, "debug", maxDebugBody), func(ctx context.Context, in *runInput[wire.DebugReport]) (wire.DebugOrders, error) {
		return s.DebugReport(ctx, session(ctx), in.Run, in.Body)
	})
	agentAnswer(a, agentOperation("POST", wire.PathShellIn, "shell-input", maxAgentBody), func(ctx context.Context, in *struct {
		ShellPath
		Body wire.ShellAsk
	}) (wire.ShellChunk, error) {
		return s.ShellInput(ctx, session(ctx), in.Run, in.Shell, in.Body)
	})
	agentAnswer(a, agentOperation("POST", wire.PathShellOut, "shell-output", maxShellBody), func(ctx context.Context, in *struct {
		ShellPath
		Body wire.ShellChunk
	}) (wire.ShellTaken, error) {
		return s.ShellOutput(ctx, session(ctx), in.Run, in.Shell, in.Body)
	})
}
