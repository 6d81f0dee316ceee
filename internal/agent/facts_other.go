//go:build !windows

package agent

import (
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/fact"
)

// answers keeps a nil sheet from becoming an interface that is not nil.
func answers(sheet *fact.Sheet, _ wire.Environment) condition.Facts {
	if sheet == nil {
		return nil
	}
	return sheet
}
