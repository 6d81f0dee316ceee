//go:build !linux && !windows

package inventory

import "github.com/bootyard/bootyard/tsengine/fact"

// Local is nil: nothing is gathered here.
func Local(string) *fact.Sheet { return nil }
