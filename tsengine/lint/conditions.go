package lint

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/wql"
)

// eachTest calls f for every expression of every enabled node.
func (l *linter) eachTest(f func(n *sequence.Node, x *sequence.Expression)) {
	for _, n := range l.enabled() {
		for _, x := range expressions(n) {
			f(n, x)
		}
	}
}

func (l *linter) eachComparison(f func(n *sequence.Node, c comparison)) {
	l.eachTest(func(n *sequence.Node, x *sequence.Expression) {
		if c, ok := compared(x); ok {
			f(n, c)
		}
	})
}

var ordered = []string{"greater", "greaterequal", "less", "lessequal"}

func versionAsText(l *linter) {
	l.eachComparison(func(n *sequence.Node, c comparison) {
		name := strings.ToLower(c.name)
		holds := name == "imagebuild" || name == "oscurrentversion" || strings.HasSuffix(name, "version") || strings.Contains(c.value, ".")
		if _, err := strconv.ParseInt(strings.TrimSpace(c.value), 10, 64); err == nil && name != "imagebuild" && name != "oscurrentversion" {
			holds = false // two whole numbers are compared as numbers
		}
		if slices.Contains(ordered, c.op) && holds {
			l.add(n, "%s %s %q compares a version as text", c.name, c.said, l.shown(c))
		}
	})
}

func existsWithValue(l *linter) {
	l.eachComparison(func(n *sequence.Node, c comparison) {
		if (c.op == "exists" || c.op == "notexists") && strings.TrimSpace(c.value) != "" {
			l.add(n, "%s %s does not look at %q", c.name, c.said, l.shown(c))
		}
	})
}

func equalsEmpty(l *linter) {
	l.eachComparison(func(n *sequence.Node, c comparison) {
		if (c.op == "equals" || c.op == "notequals") && c.value == "" && c.name != "" {
			l.add(n, "%s %s the empty text says whether it is set", c.name, c.said)
		}
	})
}

func blanksInValue(l *linter) {
	l.eachComparison(func(n *sequence.Node, c comparison) {
		switch {
		case c.value != strings.TrimSpace(c.value):
			l.add(n, "%s %s %q: the blanks are compared, too", c.name, c.said, l.shown(c))
		case c.name != strings.TrimSpace(c.name):
			l.add(n, "the name %q has blanks at its ends", c.name)
		}
	})
}

var words = []string{"equals", "notequals", "exists", "notexists", "greater", "greaterequal", "less", "lessequal", "like", "notlike"}

func operatorUnknown(l *linter) {
	l.eachComparison(func(n *sequence.Node, c comparison) {
		if !slices.Contains(words, c.op) {
			l.add(n, "%s %q %q: there is no such operator", c.name, c.said, l.shown(c))
		}
	})
	for _, n := range l.enabled() {
		eachOperator(n, func(o sequence.Operand) {
			if o.Operator != "and" && o.Operator != "or" && o.Operator != "not" {
				l.add(n, "an if-statement of kind %q: there are and, or and not", o.Operator)
			}
		})
	}
}

func eachOperator(n *sequence.Node, f func(sequence.Operand)) {
	var walk func([]sequence.Operand)
	walk = func(list []sequence.Operand) {
		for _, o := range list {
			if o.Expression == nil {
				f(o)
				walk(o.Operands)
			}
		}
	}
	if n.Condition != nil {
		walk(n.Condition.Operands)
	}
}

// fields are what each condition needs, one of each list.
var fields = map[string][][]string{
	"VariableConditionExpression": {{"Variable"}}, "WMIConditionExpression": {{"Query"}}, "OSConditionExpression": {{"Version", "Architecture"}},
	"FolderConditionExpression": {{"Path"}}, "FileConditionExpression": {{"Path"}}, "RegistryConditionExpression": {{"KeyPath"}, {"Operator"}},
	"SoftwareConditionExpression": {{"ProductCode", "UpgradeCode"}}, "MakeModelConditionExpression": nil, "ComputerConditionExpression": nil,
}

// kind is the type of an expression in the case of [fields]; the engine reads it in any case.
func kind(x *sequence.Expression) string {
	for known := range fields {
		if strings.EqualFold(known, x.ShortType()) {
			return known
		}
	}
	return x.ShortType()
}

func conditionUnknown(l *linter) {
	l.eachTest(func(n *sequence.Node, x *sequence.Expression) {
		if _, ok := fields[kind(x)]; !ok && x.Field("DefaultGateway") == "" { // the location rule is known by that field (TS-96)
			l.add(n, "condition type %q is unknown", x.Type)
		}
	})
}

func conditionIncomplete(l *linter) {
	l.eachTest(func(n *sequence.Node, x *sequence.Expression) {
		for _, choice := range fields[kind(x)] {
			if !slices.ContainsFunc(choice, func(f string) bool { return strings.TrimSpace(x.Field(f)) != "" }) {
				l.add(n, "a %s without %s", x.ShortType(), strings.Join(choice, " or "))
			}
		}
	})
}

func wqlSyntax(l *linter) {
	l.eachTest(func(n *sequence.Node, x *sequence.Expression) {
		query := x.Field("Query")
		if kind(x) != "WMIConditionExpression" || strings.TrimSpace(query) == "" {
			return
		}
		if _, err := wql.Parse(query); err != nil && !errors.Is(err, wql.ErrUnsupported) {
			l.add(n, "query %q: %v", shorten(query), err)
		}
	})
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:77]) + "..."
	}
	return s
}

func neverTrue(l *linter) {
	for _, n := range l.enabled() {
		eachOperator(n, func(o sequence.Operand) {
			if o.Operator == "or" && len(o.Operands) == 0 {
				l.add(n, "an empty if-statement of kind Any is never true")
			}
		})
		list := must(n)
		for i, a := range list {
			for _, b := range list[:i] {
				if excludes(a, b) {
					l.add(n, "%s %s %q and %s %q at once", a.name, a.said, l.shown(a), b.said, l.shown(b))
				}
			}
		}
	}
}

// excludes says whether two comparisons of one variable cannot both hold.
func excludes(a, b comparison) bool {
	if !strings.EqualFold(a.name, b.name) || strings.Contains(a.value+b.value, "%") {
		return false
	}
	same := strings.EqualFold(a.value, b.value)
	switch {
	case a.op == "equals" && b.op == "equals":
		return !same
	case a.op == "equals" && b.op == "notequals", a.op == "notequals" && b.op == "equals":
		return same
	case a.op == "exists" && b.op == "notexists", a.op == "notexists" && b.op == "exists":
		return true
	}
	return false
}

// contradictsGroup compares a node's condition with those of the groups around it, as long as no step in between could
// have changed the variable.
func contradictsGroup(l *linter) {
	for _, n := range l.enabled() {
		mine := must(n)
		for g := n.Parent; g != nil && len(mine) > 0; g = g.Parent {
			if len(l.between(g, n)) > 0 {
				break
			}
			for _, outer := range must(g) {
				for _, c := range mine {
					if excludes(c, outer) {
						l.add(n, "%s %s %q, inside %q where %s %q", c.name, c.said, l.shown(c), g.Name, outer.said, l.shown(outer))
					}
				}
			}
		}
	}
}
