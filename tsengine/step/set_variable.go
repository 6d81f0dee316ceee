package step

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// SetVariable is Set Task Sequence Variable. It changes nothing but the environment and needs no started record.
type SetVariable struct{}

// Contract implements Step.
func (SetVariable) Contract() Contract {
	return Contract{Type: "SetVariableAction", Component: "OsdSetVariable"}
}

// Run implements Step. The values come from the variables of the step, not from the action text, which mangles quotes
// and percent signs; only old exports without them are read from the action.
func (SetVariable) Run(_ context.Context, c *Context) Outcome {
	name, value, hidden, err := readAssignment(c.Node)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	expanded, secret := c.Variables.ExpandSecret(value)
	a := variable.Assignment{Name: strings.TrimSpace(c.Variables.Expand(name)), Value: expanded, Secret: hidden || secret}
	if a.Secret || variable.IsSecretName(a.Name) {
		c.Variables.AddSecret(expanded)
		c.Log(smstslog.Info, fmt.Sprintf("Setting variable %s to %s", a.Name, variable.Mask))
	} else {
		c.Log(smstslog.Info, fmt.Sprintf("Setting variable %s to '%s'", a.Name, expanded))
	}
	if err := c.assign(a); err != nil {
		return Failure(CodeInvalid, err)
	}
	return Outcome{}
}

func readAssignment(n *sequence.Node) (name, value string, hidden bool, err error) {
	name, ok := n.Input("VariableName")
	if !ok {
		return parseTSEnv(n.Action)
	}
	value, _ = n.Input("VariableValue")
	flag, _ := n.Input("DoNotShowVariableValue")
	if strings.EqualFold(strings.TrimSpace(flag), "true") {
		hidden = true
		if v, ok := n.Input("HiddenVariableValue"); ok {
			value = v
		}
	}
	if strings.TrimSpace(name) == "" {
		return "", "", false, errors.New("the step names no variable")
	}
	return name, value, hidden, nil
}

// HiddenValues are the values that a step says must not be shown, as they stand in it: those of Set Task Sequence Variable
// with "do not display" and of rules with secret variables (TS-93).
func HiddenValues(n *sequence.Node) []string {
	switch n.ShortType() {
	case "SetVariableAction":
		if _, value, hidden, err := readAssignment(n); err == nil && hidden {
			return []string{value}
		}
	case "SetDynamicVariablesAction":
		text, _ := n.Input("OSDSetDynamicVariablesRules")
		rules, err := sequence.ParseRules(text)
		if err != nil {
			return nil // the step will say so
		}
		var out []string
		for _, rule := range rules {
			for _, v := range rule.Variables {
				if v.Secret {
					out = append(out, v.Value)
				}
			}
		}
		return out
	}
	return nil
}

// parseTSEnv reads tsenv.exe "NAME=VALUE" [/hiddenflag:True].
func parseTSEnv(action string) (name, value string, hidden bool, err error) {
	_, rest, ok := strings.Cut(action, `"`)
	if !ok {
		_, rest, ok = strings.Cut(strings.TrimSpace(action), " ")
	}
	if i := strings.LastIndex(rest, " /hiddenflag:"); i >= 0 {
		hidden = strings.EqualFold(strings.TrimSpace(rest[i+len(" /hiddenflag:"):]), "true")
		rest = rest[:i]
	}
	rest = strings.TrimSuffix(strings.TrimSpace(rest), `"`)
	name, value, assigned := strings.Cut(rest, "=")
	if !ok || !assigned {
		return "", "", false, errors.New("the step names no variable: neither VariableName nor a tsenv action is there")
	}
	return name, value, hidden, nil
}
