package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// SetDynamicVariables is Set Dynamic Variables (TS-96): rules in order, each with an optional condition; later ones
// overwrite earlier ones. It changes nothing but the environment.
type SetDynamicVariables struct{}

// Contract implements Step.
func (SetDynamicVariables) Contract() Contract {
	return Contract{Type: "SetDynamicVariablesAction", Component: "OSDSetDynamicVariables"}
}

// Run implements Step.
func (SetDynamicVariables) Run(ctx context.Context, c *Context) Outcome {
	text, _ := c.Node.Input("OSDSetDynamicVariablesRules")
	rules, err := sequence.ParseRules(text)
	if err != nil {
		return Failure(CodeInvalid, fmt.Errorf("rules of the step: %w", err))
	}
	for i, rule := range rules {
		verdict, err := c.Evaluate(ctx, rule.Condition)
		if err != nil {
			return Failure(CodeInvalid, fmt.Errorf("rule %d: %w", i+1, err))
		}
		if !verdict.Holds {
			c.Log(smstslog.Info, fmt.Sprintf("Rule %d does not apply: %s", i+1, verdict.Reason))
			continue
		}
		if err := applyRule(c, rule); err != nil {
			return Failure(CodeInvalid, fmt.Errorf("rule %d: %w", i+1, err))
		}
	}
	return Outcome{}
}

func applyRule(c *Context, rule sequence.Rule) error {
	var errs []error
	for _, v := range rule.Variables {
		value, secret := c.Variables.ExpandSecret(v.Value)
		a := variable.Assignment{Name: v.Name, Value: value, Secret: v.Secret || secret}
		shown := value
		if a.Secret || variable.IsSecretName(v.Name) {
			c.Variables.AddSecret(value)
			shown = variable.Mask
		}
		c.Log(smstslog.Info, fmt.Sprintf("Setting variable %s to '%s'", v.Name, shown))
		errs = append(errs, c.assign(a))
	}
	return errors.Join(errs...)
}
