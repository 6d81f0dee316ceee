package host

import (
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// Capabilities are what the machine can do besides writing disks.
func Capabilities(environment wire.Environment, version string) machine.Capabilities {
	local := Linux{Environment: environment}
	return machine.Capabilities{
		Folders:   Folders{},
		Readiness: &Readiness{Linux: local, ClientVersion: dotted(version), Free: FreeOn},
	}
}
