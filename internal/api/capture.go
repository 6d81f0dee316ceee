package api

import (
	"context"

	"github.com/bootyard/bootyard/internal/wire"
)

// maxCaptureBody is a piece of a captured image in base64.
const maxCaptureBody = wire.CapturePiece/3*4 + 64<<10

// RunCapturePath names the upload of a captured image.
type RunCapturePath struct {
	Run     string `path:"run"`
	Capture string `path:"capture"`
}

func (a *API) registerAgentCapture() {
	agentAnswer(a, agentOperation("POST", wire.PathCapture, "request-capture", maxAgentBody), func(ctx context.Context, in *runInput[wire.CaptureRequest]) (wire.CaptureStore, error) {
		return a.Site.RequestCapture(ctx, session(ctx), in.Run, in.Body)
	})
	put := agentOperation("PUT", wire.PathCapturePiece, "put-capture-piece", maxCaptureBody)
	put.BodyReadTimeout = checkpointTime
	agentAct(a, put, func(ctx context.Context, in *struct {
		RunCapturePath
		Number int `path:"number"`
		Body   wire.CapturePieceData
	}) error {
		return a.Site.PutCapturePiece(ctx, session(ctx), in.Run, in.Capture, in.Number, in.Body)
	})
	complete := agentOperation("POST", wire.PathCaptureComplete, "complete-capture", maxCheckpoint) // up to 131072 hashes
	complete.BodyReadTimeout = checkpointTime
	agentAnswer(a, complete, func(ctx context.Context, in *struct {
		RunCapturePath
		Body wire.CaptureComplete
	}) (wire.CaptureStored, error) {
		return a.Site.CompleteCapture(ctx, session(ctx), in.Run, in.Capture, in.Body)
	})
}
