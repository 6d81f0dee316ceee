//go:build !linux

package command

import (
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
)

const nonblock = 0

// newTarget is nil: steps that write disks exist on Linux only.
func newTarget(wire.Identity, map[string]string) func(agent.TargetRequest) agent.Target { return nil }
