package agent

import (
	"context"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/winfact"
)

// answers is Windows itself, and the sheet where it has no WMI.
func answers(sheet *fact.Sheet, environment wire.Environment) condition.Facts {
	return winfact.Facts{Environment: engineEnvironment(environment), Sheet: sheet}
}

// maxDevices bounds the devices of a machine.
const maxDevices = 2000

// pnpEntities asks Windows.
func pnpEntities(ctx context.Context, _ *fact.Sheet) ([]fact.Instance, error) {
	return winfact.Query(ctx, `root\cimv2`, "SELECT Name, HardwareID, CompatibleID FROM Win32_PnPEntity", maxDevices)
}
