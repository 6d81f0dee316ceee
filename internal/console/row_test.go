package console_test

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

func TestWordsForAMachine(t *testing.T) {
	boot := func(a wire.Action, last time.Duration) *wire.Boot {
		return &wire.Boot{ID: "b", Action: a, Deployment: "BYD20000", Started: now.Add(-last), Last: now.Add(-last),
			Answers: []wire.BootAnswer{{Stage: wire.StageLoader, Answer: "file undionly.kpxe"}}}
	}
	with := func(m wire.MachineStatus, f func(*wire.MachineStatus)) wire.MachineStatus { f(&m); return m }
	bare := wire.MachineStatus{Device: "d", Name: "m", LastSeen: now}
	for name, tc := range map[string]struct {
		machine  wire.MachineStatus
		want     []string
		unwanted []string
	}{
		"running":      {running(), []string{`data-state="running"`, `value="43"`, "4 of 8, 50%"}, nil},
		"failed":       {failed(), []string{`data-state="failed"`, "Partition disk (BIOS)", "0x80070490", "two disks are there", "bootyard retry lab-02", "1 h ago", "1m0s", "1 need a look"}, []string{"<progress"}},
		"not served":   {stranger(), []string{`data-state="not served"`, "not known", "PXE-13", "BIOS", "3 min ago", "no deployment"}, []string{"<progress"}},
		"never seen":   {bare, []string{`data-state="not seen yet"`}, nil},
		"booting":      {with(bare, func(m *wire.MachineStatus) { m.Boot = boot(wire.ActionRun, time.Minute) }), []string{`data-state="booting"`, "undionly.kpxe", "BYD20000"}, nil},
		"in the menu":  {with(bare, func(m *wire.MachineStatus) { m.Boot = boot(wire.ActionMenu, time.Minute) }), []string{`data-state="boot menu"`}, nil},
		"local disk":   {with(bare, func(m *wire.MachineStatus) { m.Boot = boot(wire.ActionLocal, time.Hour) }), []string{`data-state="local disk"`}, []string{"silent"}},
		"never came":   {with(bare, func(m *wire.MachineStatus) { m.Boot = boot(wire.ActionRun, time.Hour) }), []string{`data-state="silent"`, "look at its screen"}, nil},
		"stale":        {with(running(), func(m *wire.MachineStatus) { m.Run.State, m.Run.Remedy = wire.RunStale, "look at it" }), []string{`state bad`, "look at it"}, nil},
		"boots again":  {with(failed(), func(m *wire.MachineStatus) { m.Boot = boot(wire.ActionRun, time.Minute) }), []string{`data-state="booting"`}, []string{"two disks"}},
		"local later":  {with(failed(), func(m *wire.MachineStatus) { m.Boot = boot(wire.ActionLocal, time.Minute) }), []string{`data-state="failed"`, "two disks"}, nil},
		"odd progress": {with(running(), func(m *wire.MachineStatus) { m.Run.Current, m.Run.Total, m.Run.Percent = 99, 3, -7 }), []string{`value="100"`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, newSite(tc.machine))
			got := strings.Join(nextEvent(t, bufio.NewReader(request(t, server, "GET", "/events", goodToken, nil).Body)), "\n")
			for _, want := range tc.want {
				require.Contains(t, got, want)
			}
			for _, no := range tc.unwanted {
				require.NotContains(t, got, no)
			}
		})
	}
}

func TestNoMachineYet(t *testing.T) {
	server := serve(t, newSite())
	got := strings.Join(nextEvent(t, bufio.NewReader(request(t, server, "GET", "/events", goodToken, nil).Body)), "\n")
	require.Contains(t, got, "bootyard device import")
}
