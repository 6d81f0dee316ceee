package sequence

import "strings"

// readOperands reads what stands below a condition or an operator. Exports write the OS version condition as an
// osConditionGroup of osExpressionGroups, which are an "or" of "and"s with a platformKey for the editor.
func (s *Sequence) readOperands(e *Element) []Operand {
	var out []Operand
	for _, c := range e.Elements() {
		kind := strings.ToLower(c.Name)
		switch kind {
		case "expression":
			x := &Expression{Fields: s.readVariables(c), Line: c.Line, Column: c.Column}
			x.Type, _ = c.Attr("type")
			ignore, _ := c.Attr("ignoreQueryFailure")
			x.IgnoreErrors = isTrue(ignore)
			out = append(out, Operand{Expression: x, Line: c.Line})
		case "operator", "osconditiongroup", "osexpressiongroup":
			t, _ := c.Attr("type")
			t = strings.ToLower(strings.TrimSpace(t))
			switch {
			case t == "" && kind == "osconditiongroup":
				t = "or"
			case t == "" && kind == "osexpressiongroup":
				t = "and"
			}
			out = append(out, Operand{Operator: t, Operands: s.readOperands(c), Line: c.Line})
		case "platformkey": // names the platform for the editor; the expressions beside it are the test
		default:
			// Kept as an expression of unknown type: what cannot be understood must not count as true (TS-23).
			s.warn(c, "unknown element <%s> in a condition", c.Name)
			out = append(out, Operand{Expression: &Expression{Type: c.Name, Line: c.Line, Column: c.Column}, Line: c.Line})
		}
	}
	return out
}

// Rule is one rule of a Set Dynamic Variables step (TS-96).
type Rule struct {
	Condition *Condition // nil always applies
	Variables []RuleVariable
}

// RuleVariable is a variable that a rule sets.
type RuleVariable struct {
	Name, Value string
	Secret      bool
}

// ParseRules reads the rules document inside the text of a Set Dynamic Variables step. Empty text has no rules.
func ParseRules(text string) ([]Rule, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	root, err := ParseElement([]byte(text))
	if err != nil {
		return nil, err
	}
	if root.Name != "Rules" {
		return nil, &Error{root.Line, root.Column, "<" + root.Name + "> where <Rules> is due"}
	}
	var s Sequence
	var out []Rule
	for _, r := range root.Elements() {
		if r.Name != "Rule" {
			return nil, &Error{r.Line, r.Column, "<" + r.Name + "> where <Rule> is due"}
		}
		var rule Rule
		for _, c := range r.Elements() {
			switch c.Name {
			case "condition":
				rule.Condition = &Condition{Operands: s.readOperands(c)}
			case "Variables":
				for _, v := range c.Elements() {
					name, _ := v.Attr("Name")
					secret, _ := v.Attr("IsSecret")
					rule.Variables = append(rule.Variables, RuleVariable{name, cleanValue(v.Text()), isTrue(secret)})
				}
			}
		}
		out = append(out, rule)
	}
	return out, nil
}

// ParseCondition reads a condition element that stands alone, such as the requirement of an application. Empty text has
// none: nil, which holds.
func ParseCondition(text string) (*Condition, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	root, err := ParseElement([]byte(text))
	if err != nil {
		return nil, err
	}
	if root.Name != "condition" {
		return nil, &Error{root.Line, root.Column, "<" + root.Name + "> where <condition> is due"}
	}
	var s Sequence
	return &Condition{Operands: s.readOperands(root)}, nil
}
