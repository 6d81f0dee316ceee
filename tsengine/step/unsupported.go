package step

import (
	"context"
	"fmt"
)

// Unsupported stands in for step types this version cannot run. It fails, so that no deployment looks complete that is
// not.
type Unsupported struct{}

// Contract implements Step.
func (Unsupported) Contract() Contract { return Contract{Component: "TSManager"} }

// Run implements Step.
func (Unsupported) Run(_ context.Context, c *Context) Outcome {
	return Failure(CodeUnsupported, fmt.Errorf("step type %s is not supported by this version; disable step %q or replace it by a Run Command Line step", c.Node.Type, c.Node.Name))
}
