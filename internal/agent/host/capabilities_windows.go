package host

import (
	"github.com/bootyard/bootyard/internal/agent/userstate"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/com"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
)

// Capabilities are what the machine can do besides writing disks.
func Capabilities(environment wire.Environment, version string) machine.Capabilities {
	c := machine.Capabilities{
		Folders:   Folders{},
		Programs:  process.Runner{},
		UserState: userstate.Windows{},
		Scripts:   &com.Scripts{},
		Readiness: readiness{environment: environment, version: dotted(version)},
	}
	if environment == wire.FullOS {
		c.Tattoo = RegistryTattoo{Programs: process.Runner{}, Now: System{}.Now}
		c.Capture = WindowsCapture{Registry: localMachine{}, MACs: cardAddresses}
	}
	return c
}
