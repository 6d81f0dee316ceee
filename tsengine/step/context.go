package step

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// Context is what a running step sees.
type Context struct {
	Node        *sequence.Node
	Variables   *variable.Environment
	Machine     machine.Capabilities
	Volumes     *machine.Table
	Environment machine.Environment
	UEFI        bool
	Progress    machine.Progress                      // never nil
	Log         func(kind smstslog.Type, text string) // never nil; masks secrets
	// Evaluate gives the value of a condition with the variables of this moment; never nil.
	Evaluate func(ctx context.Context, c *sequence.Condition) (condition.Verdict, error)
	// Repeated says that the step was interrupted and runs again (TS-112a).
	Repeated bool
	// Instances are those of a WMI class of this machine (TS-76), none where nothing is known of it; may be nil.
	Instances func(ctx context.Context, class string) []fact.Instance
	// AgentOnDisk says whether a restart to HD finds an agent that goes on with the sequence (TS-118a). The steps that
	// change that write it.
	AgentOnDisk *bool
}

// Input is the value of a step's variable: the global one, else the step's default (TS-84), expanded (TS-91). For an
// argument that is hidden in the XML use Argument.
func (c *Context) Input(name string) string {
	return c.Variables.Expand(c.Variables.Value(name))
}

// Argument is a value written in the step itself, hidden or not, expanded. A global variable of the same name does not
// count (TS-85). The name is that of the variable or of the property.
func (c *Context) Argument(name string) string {
	v, _ := c.Node.Input(name)
	return c.Variables.Expand(v)
}

// assign sets a variable for a user, a rule or a script, and warns of a value that others would not take (TS-81).
func (c *Context) assign(a variable.Assignment) error {
	if n := utf8.RuneCountInString(a.Value); n > variable.MaxValue {
		c.Log(smstslog.Warning, fmt.Sprintf("The value of %s has %d characters; others accept %d (TS-81)", a.Name, n, variable.MaxValue))
	}
	return c.Variables.Assign(a)
}

// InputBool reads a boolean input; other is its value when the input is not set.
func (c *Context) InputBool(name string, other bool) (bool, error) {
	v := strings.TrimSpace(c.Input(name))
	switch strings.ToLower(v) {
	case "":
		return other, nil
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no":
		return false, nil
	}
	return false, fmt.Errorf("%s is %q; true or false is expected", name, v)
}

// InputInt reads an integer input between low and high; other is its value when the input is not set.
func (c *Context) InputInt(name string, low, high, other int) (int, error) {
	v := strings.TrimSpace(c.Input(name))
	if v == "" {
		return other, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%s is %q; a number from %d to %d is expected", name, v, low, high)
	}
	return n, nil
}

// ComputerName is the name for the operating system: OSDComputerName, else the machine's own (TS-97).
func (c *Context) ComputerName() string {
	if n := c.Input("OSDComputerName"); n != "" && !strings.Contains(n, "%") {
		return n
	}
	return c.Variables.Value("_SMSTSMachineName")
}
