package cli_test

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bootyard/bootyard/internal/client"
	"github.com/bootyard/bootyard/internal/wire"
)

// machine MAC DEPLOYMENT STATE plays a machine that was started from a medium:
// it claims the deployment, reports a step and ends as STATE says: running,
// failed or succeeded.
func machine(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	mac, deployment, state := args[0], args[1], args[2]
	var medium wire.MediaCreated
	ts.Check(appliance(ts).Do(ctx, http.MethodPost, "/api/v1/media", wire.MediaCreate{Label: "test"}, &medium))
	identity := wire.Identity{MACs: []string{mac}, Firmware: "uefi", Arch: "amd64"}
	var session wire.SessionResponse
	ts.Check(appliance(ts).Do(ctx, http.MethodPost, wire.PathSession, wire.SessionRequest{
		Protocol: wire.Protocol, Environment: wire.WinPE, LaunchMode: wire.LaunchCD,
		MediaID: medium.Media.ID, MediaToken: medium.Media.Token, Identity: identity,
	}, &session))
	agent, err := client.New(client.Options{Socket: ts.Getenv("BOOTYARD_SOCKET"), Token: session.Token})
	ts.Check(err)
	var run wire.Run
	ts.Check(agent.Do(ctx, http.MethodPost, wire.PathRuns, wire.ClaimRequest{
		Deployment: deployment, Key: session.Token[:16], Environment: wire.WinPE, LaunchMode: wire.LaunchCD, UserStarted: true,
	}, &run))
	ts.Setenv("RUN", run.ID)
	ts.Setenv("SESSION", session.Token)
	to := func(path string) string { return strings.Replace(path, "{run}", run.ID, 1) }
	now := time.Now()
	ts.Check(agent.Do(ctx, http.MethodPost, to(wire.PathEvents), wire.Events{Events: []wire.Event{
		{Number: 1, Time: now, Kind: wire.EventStep, Step: "Partition disk (UEFI)", Result: "started", Current: 1, Total: 5, Text: "step \x1b[2J started"},
	}}, nil))
	ts.Check(agent.Do(ctx, http.MethodPut, to(wire.PathLog), wire.LogChunk{Data: []byte("<![LOG[Start executing]LOG]!>\n")}, nil))
	if state == "running" {
		return
	}
	finish := wire.Finish{Succeeded: state == "succeeded", Time: now}
	if !finish.Succeeded {
		finish.ExitCode, finish.Step, finish.Message, finish.Remedy = 0x80070070, "Partition disk (UEFI)", "the disk is too small", "use a larger disk"
	}
	ts.Check(agent.Do(ctx, http.MethodPost, to(wire.PathFinish), finish, nil))
}
