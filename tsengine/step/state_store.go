package step

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

const storeVariable = "OSDStateStorePath"

// RequestState is Request State Store: OSDStateStorePath is the store that the site gives.
type RequestState struct{}

// Contract implements Step.
func (RequestState) Contract() Contract {
	return Contract{Type: "RequestStateStoreAction", Effect: true, Repeatable: true, Component: "OSDSMPClient"}
}

// Run implements Step.
func (RequestState) Run(ctx context.Context, c *Context) Outcome {
	store := c.Machine.StateStore
	if store == nil {
		return Failure(CodeEnvironment, errors.New("this environment knows no site that keeps user state"))
	}
	restore, err := requestKind(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	tries, err := c.InputInt("OSDStateSMPRetryCount", 0, 600, 3)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	pause, err := c.InputInt("OSDStateSMPRetryTime", 0, 600, 10)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	for try := 0; ; try++ {
		path, err := store.Request(ctx, restore)
		switch {
		case err == nil:
			c.Log(smstslog.Info, "The state store is "+path)
			if err := c.Variables.Set(storeVariable, path); err != nil {
				return Failure(CodeFailed, err)
			}
			return Outcome{}
		case errors.Is(err, machine.ErrNoState):
			return Failure(CodeNotFound, err)
		case try >= tries || ctx.Err() != nil:
			return Failure(CodeFailed, fmt.Errorf("no state store after %d tries: %w", try+1, err))
		}
		c.Log(smstslog.Warning, fmt.Sprintf("No state store, try %d of %d follows in %d s: %v", try+1, tries, pause, err))
		timer := time.NewTimer(time.Duration(pause) * time.Second)
		select {
		case <-ctx.Done():
			timer.Stop()
			return Failure(CodeFailed, ctx.Err())
		case <-timer.C:
		}
	}
}

// requestKind is capture or restore, in the hidden variable or in the action.
func requestKind(c *Context) (restore bool, err error) {
	kind := strings.TrimSpace(c.Argument("OSDStateRequestType"))
	if kind == "" {
		for field := range strings.FieldsSeq(c.Node.Action) {
			if strings.HasPrefix(field, "/") {
				kind = field[1:]
			}
		}
	}
	switch strings.ToLower(kind) {
	case "capture":
		return false, nil
	case "restore":
		return true, nil
	}
	return false, fmt.Errorf("OSDStateRequestType is %q; Capture and Restore exist", kind)
}

// ReleaseState is Release State Store. Sequences put continue on error on all between request and release, so that it
// always runs.
type ReleaseState struct{}

// Contract implements Step.
func (ReleaseState) Contract() Contract {
	return Contract{Type: "ReleaseStateStoreAction", RunIn: sequence.WinPEAndFullOS, Effect: true, Repeatable: true, Component: "OSDSMPClient"}
}

// Run implements Step.
func (ReleaseState) Run(ctx context.Context, c *Context) Outcome {
	path := c.Input(storeVariable)
	switch {
	case path == "":
		return Failure(CodeInvalid, errors.New("OSDStateStorePath is not set: nothing was requested that could be released"))
	case c.Machine.StateStore == nil:
		return Failure(CodeEnvironment, errors.New("this environment knows no site that keeps user state"))
	case !c.Machine.StateStore.Is(path):
		return Failure(CodeInvalid, fmt.Errorf("OSDStateStorePath %q is not a store that was requested; only those are released", path))
	}
	if err := c.Machine.StateStore.Release(ctx, path); err != nil {
		return Failure(CodeFailed, fmt.Errorf("release the state store: %w", err))
	}
	c.Log(smstslog.Info, "The state store was released")
	return Outcome{}
}
