package host

import (
	"github.com/bootyard/bootyard/internal/agent/userstate"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
)

// Capabilities are what the machine can do besides writing disks.
func Capabilities(environment wire.Environment, version string) machine.Capabilities {
	local := Linux{Environment: environment}
	c := machine.Capabilities{
		Folders:   Folders{},
		Programs:  process.Runner{},
		Readiness: &Readiness{Linux: local, ClientVersion: dotted(version), Free: FreeOn},
	}
	if environment == wire.FullOS {
		c.UserState = userstate.Linux{Programs: process.Runner{}}
		c.Capture = Capture{Linux: local}
		c.Tattoo = Tattoo{Linux: local, Now: System{}.Now}
		c.Preparation = Preparation{Linux: local, Programs: process.Runner{}}
	}
	return c
}
