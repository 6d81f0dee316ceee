package condition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// ErrUnknown is what Facts returns for a question it has no facts about; the expression is then false with a warning.
var ErrUnknown = errors.New("no facts about this")

// Variables is what expressions read. *variable.Environment is one.
type Variables interface {
	// Lookup returns the value of a variable and whether it is set.
	Lookup(name string) (string, bool)
	// Expand replaces %name% (TS-91).
	Expand(text string) string
	// Secret says whether the variable's value must not be shown (TS-93).
	Secret(name string) bool
}

// Facts answers the expressions that need more than variables and files: WMIConditionExpression,
// RegistryConditionExpression, SoftwareConditionExpression and OSConditionExpression. Variables in the fields are expanded
// (TS-91), except in a WMI expression (TS-75). The verdict's reason names the values that decided. Holds returns
// ErrUnknown, wrapped or not, when it has nothing to answer from, any other error when the expression itself is wrong.
type Facts interface {
	Holds(ctx context.Context, expression *sequence.Expression) (Verdict, error)
}

// Redirectable is implemented by Facts and Files that can also answer as a 32-bit program on a 64-bit Windows would see it.
// The evaluator asks for that unless the variable SMSTSDisableWow64Redirection is true (TS-72).
type Redirectable[T any] interface {
	Redirected() T
}

// Evaluator evaluates conditions at one moment. Facts, Files and Warn may be nil.
type Evaluator struct {
	Variables Variables
	Facts     Facts
	Files     Files
	Warn      func(text string)
}

// Verdict is the value of a condition and what decided it, for the log, the simulator and the explanation of a skip.
type Verdict struct {
	Holds  bool
	Reason string
}

// Evaluate gives the value of a condition. Nil and empty conditions are true (TS-62).
func (e *Evaluator) Evaluate(ctx context.Context, c *sequence.Condition) (Verdict, error) {
	if c == nil || len(c.Operands) == 0 {
		return Verdict{true, "no condition"}, nil
	}
	return e.all(ctx, c.Operands)
}

func (e *Evaluator) all(ctx context.Context, list []sequence.Operand) (Verdict, error) {
	last := Verdict{true, "all of nothing is true"}
	for i := range list {
		v, err := e.operand(ctx, &list[i])
		if err != nil || !v.Holds {
			return v, err
		}
		last = v
	}
	if len(list) > 1 {
		last.Reason = fmt.Sprintf("all %d hold; last: %s", len(list), last.Reason)
	}
	return last, nil
}

func (e *Evaluator) any(ctx context.Context, list []sequence.Operand) (Verdict, error) {
	reasons := make([]string, 0, min(len(list), 8))
	for i := range list {
		v, err := e.operand(ctx, &list[i])
		if err != nil || v.Holds {
			return v, err
		}
		if len(reasons) < 8 && !slices.Contains(reasons, v.Reason) { // platforms ask the same values many times
			reasons = append(reasons, v.Reason)
		}
	}
	if len(list) == 0 {
		return Verdict{false, "any of nothing is false (TS-62)"}, nil
	}
	return Verdict{false, "none holds: " + strings.Join(reasons, "; ")}, nil
}

func (e *Evaluator) operand(ctx context.Context, o *sequence.Operand) (Verdict, error) {
	if err := ctx.Err(); err != nil {
		return Verdict{}, err
	}
	if o.Expression != nil {
		v, err := e.expression(ctx, o.Expression)
		if err != nil && o.Expression.IgnoreErrors {
			e.warn(fmt.Sprintf("condition in line %d: %v; taken as false because the expression says so", o.Line, err))
			return Verdict{false, err.Error()}, nil
		}
		if err != nil {
			return v, fmt.Errorf("condition in line %d: %w", o.Line, err)
		}
		return v, nil
	}
	switch o.Operator {
	case "and":
		return e.all(ctx, o.Operands)
	case "or":
		return e.any(ctx, o.Operands)
	case "not": // true when no child is true (TS-61)
		v, err := e.any(ctx, o.Operands)
		return Verdict{!v.Holds, "not: " + v.Reason}, err
	}
	return Verdict{}, fmt.Errorf("condition in line %d: unknown operator %q; and, or and not exist (TS-61)", o.Line, o.Operator)
}

func (e *Evaluator) expression(ctx context.Context, x *sequence.Expression) (Verdict, error) {
	switch strings.ToLower(x.ShortType()) {
	case "variableconditionexpression":
		return e.variable(x)
	case "fileconditionexpression":
		return e.path(ctx, x, false)
	case "folderconditionexpression":
		return e.path(ctx, x, true)
	case "wmiconditionexpression":
		if strings.TrimSpace(x.Field("Query")) == "" {
			return Verdict{}, errors.New("a WMI expression without a query (TS-74)")
		}
		return e.ask(ctx, x, "WMI query "+x.Field("Query"))
	case "registryconditionexpression":
		if strings.TrimSpace(x.Field("KeyPath")) == "" {
			return Verdict{}, errors.New("a registry expression without a key (TS-73)")
		}
		return e.ask(ctx, e.expanded(x), "registry "+strings.TrimRight(x.Field("KeyPath")+`\`+x.Field("Value"), `\`))
	case "softwareconditionexpression":
		if x.Field("ProductCode") == "" && x.Field("UpgradeCode") == "" {
			return Verdict{}, errors.New("a software expression needs a product code or an upgrade code (TS-78)")
		}
		return e.ask(ctx, e.expanded(x), "software "+x.Field("ProductName"))
	case "osconditionexpression":
		return e.ask(ctx, e.expanded(x), strings.TrimSpace("operating system "+x.Field("Architecture")+" "+x.Field("Operator")+" "+x.Field("Version")))
	case "makemodelconditionexpression":
		return e.makeModel(x)
	case "computerconditionexpression":
		return e.computer(x)
	}
	if x.Field("DefaultGateway") != "" { // the location rule, whose class is not documented, is known by its field
		return e.location(x)
	}
	return Verdict{}, fmt.Errorf("unknown expression type %q (TS-23)", x.Type)
}

// expanded is a copy of an expression with its variables replaced (TS-91).
func (e *Evaluator) expanded(x *sequence.Expression) *sequence.Expression {
	out := *x
	out.Fields = append([]sequence.Variable(nil), x.Fields...)
	for i := range out.Fields {
		out.Fields[i].Value = e.Variables.Expand(out.Fields[i].Value)
	}
	return &out
}

func (e *Evaluator) ask(ctx context.Context, x *sequence.Expression, what string) (Verdict, error) {
	v, err := Verdict{}, ErrUnknown
	if facts := view(e, e.Facts); facts != nil {
		v, err = facts.Holds(ctx, x)
	}
	switch {
	case errors.Is(err, ErrUnknown):
		e.warn(fmt.Sprintf("%s cannot be answered on this machine, taken as false (TS-76): %v", what, err))
		return Verdict{false, what + " cannot be answered here: " + err.Error()}, nil
	case err != nil:
		return Verdict{}, fmt.Errorf("%s: %w", what, err)
	case v.Reason == "":
		v.Reason = fmt.Sprintf("%s is %t", what, v.Holds)
	}
	return v, nil
}

func (e *Evaluator) warn(text string) {
	if e.Warn != nil {
		e.Warn(text)
	}
}

// view is that of a 32-bit program where there is one and nobody wants the other (TS-72).
func view[T any](e *Evaluator, of T) T {
	r, ok := any(of).(Redirectable[T])
	if !ok {
		return of
	}
	if value, _ := e.Variables.Lookup("SMSTSDisableWow64Redirection"); strings.EqualFold(strings.TrimSpace(value), "true") {
		return of
	}
	return r.Redirected()
}
