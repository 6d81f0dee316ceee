package command

import (
	"strings"
	"syscall"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/target"
	"github.com/bootyard/bootyard/internal/wire"
)

const nonblock = syscall.O_NONBLOCK | syscall.O_NOCTTY

// bootOrderVariable says what the firmware starts first in the long run: disk (default) or network.
const bootOrderVariable = "BootyardBootOrder"

func newTarget(identity wire.Identity, _ map[string]string) func(agent.TargetRequest) agent.Target {
	return func(r agent.TargetRequest) agent.Target {
		order := ""
		for name, value := range r.Run.Variables {
			if strings.EqualFold(name, bootOrderVariable) {
				order = strings.TrimSpace(value)
			}
		}
		return target.New(target.Options{Run: r.Run.ID, Firmware: identity.Firmware, Arch: identity.Arch,
			DiskFirst: !strings.EqualFold(order, "network"), Mounts: "/run/bootyard/volumes", Files: r.Files, Say: r.Say})
	}
}
