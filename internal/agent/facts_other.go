//go:build !windows

package agent

import (
	"context"
	"errors"

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

// pnpEntities are the devices of the fact sheet.
func pnpEntities(_ context.Context, sheet *fact.Sheet) ([]fact.Instance, error) {
	if sheet == nil {
		return nil, errors.New("there are no facts about this machine")
	}
	if c := sheet.Class("", "Win32_PnPEntity"); c != nil {
		return c.Instances, nil
	}
	return nil, nil
}
