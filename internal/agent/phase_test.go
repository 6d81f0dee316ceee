package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/agenttest"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// slowDisk takes its time by the virtual clock.
type slowDisk struct {
	*disk
	clock *agenttest.Clock
}

func (d slowDisk) Capabilities() machine.Capabilities {
	return machine.Capabilities{Images: d, OSSetup: d.disk, Disks: d}
}

func (d slowDisk) Partition(ctx context.Context, r machine.DiskRequest, p machine.Progress) ([]machine.Volume, error) {
	_ = d.clock.Sleep(ctx, 3*time.Second)
	return d.disk.Partition(ctx, r, p)
}

func (d slowDisk) Apply(ctx context.Context, r machine.ApplyRequest, p machine.Progress) (machine.Applied, error) {
	_ = d.clock.Sleep(ctx, 40*time.Second)
	return d.disk.Apply(ctx, r, p)
}

// seconds adds up as the appliance does: a phase lasts until the next one begins.
func seconds(events []wire.Event) map[wire.Phase]float64 {
	sum := map[wire.Phase]float64{}
	var last *wire.Event
	for i := range events {
		if events[i].Kind != wire.EventPhase {
			continue
		}
		if last != nil {
			sum[last.Phase] += events[i].Time.Sub(last.Time).Seconds()
		}
		last = &events[i]
	}
	return sum
}

func phasesOf(events []wire.Event) (list []wire.Phase) {
	for _, e := range events {
		if e.Kind == wire.EventPhase {
			list = append(list, e.Phase)
		}
	}
	return list
}

func TestPhasesLastAsLongAsTheirWork(t *testing.T) {
	b := newBench(t)
	b.addPackage("BYD00002", "image.tar", "image")
	b.addPackage("BYD00003", "run.sh", "echo hello")
	b.run.SequenceXML = osSequence(packageCommand("in the new OS", "BYD00003", "sh run.sh"))
	b.onBlob = func() { _ = b.clock.Sleep(context.Background(), 7*time.Second) }
	b.commands.On = func(ctx context.Context, _ machine.Command) { _ = b.clock.Sleep(ctx, 5*time.Second) }
	state := t.TempDir()
	b.config.NewTarget = func(r agent.TargetRequest) agent.Target { return slowDisk{&disk{dir: state, files: r.Files}, b.clock} }
	require.NoError(t, b.boot(context.Background()), b.screen.String())
	require.Equal(t, []wire.Phase{wire.PhaseAgent, wire.PhaseApply, wire.PhaseDownload, wire.PhaseApply, wire.PhaseRestart}, phasesOf(b.events))

	_ = b.clock.Sleep(context.Background(), 20*time.Second) // firmware and kernel
	a, err := agent.New(agent.Config{URL: b.server.URL, CAPEM: b.ca.PEM(), CASPKI: b.ca.SPKI(), Machine: b.machine, Clock: b.clock, Dir: state,
		Commands: b.commands, Backoff: b.config.Backoff, Retry: b.config.Retry})
	require.NoError(t, err)
	require.NoError(t, a.RunOnce(context.Background()))
	require.True(t, b.finish.Succeeded)
	require.Equal(t, map[wire.Phase]float64{wire.PhaseAgent: 0, wire.PhaseApply: 43, wire.PhaseDownload: 14, wire.PhaseRestart: 20, wire.PhaseFinish: 5}, seconds(b.events))
	require.Equal(t, wire.PhaseDone, phasesOf(b.events)[len(phasesOf(b.events))-1])
}
