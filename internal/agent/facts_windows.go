package agent

import (
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/winfact"
)

// answers is Windows itself, and the sheet where it has no WMI.
func answers(sheet *fact.Sheet, environment wire.Environment) condition.Facts {
	return winfact.Facts{Environment: engineEnvironment(environment), Sheet: sheet}
}
