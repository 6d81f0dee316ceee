package lint

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// Severity says how sure and how bad a finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is one thing that was found. Pointer is -1 for the sequence as a whole; Line is 0 when it is not known.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`
	Rule     string   `json:"rule"`
	Sequence string   `json:"sequence,omitempty"` // package id of a child
	Pointer  int      `json:"pointer"`
	Name     string   `json:"name,omitempty"`
	Line     int      `json:"line,omitempty"`
	Text     string   `json:"text"`
	Remedy   string   `json:"remedy"`
}

// Check is a thing that is looked for.
type Check struct {
	ID, Rule string
	Severity Severity // the highest it gives
	About    string
	Remedy   string
	run      func(*linter)
}

// Options are what is known beside the sequence. The zero value knows nothing.
type Options struct {
	Children map[string]*sequence.Sequence // by package id
	Exists   sequence.Exists               // nil: references are not looked up
}

// Run checks a sequence and the children it was given. Findings come in document order, those of the sequence as a
// whole first.
func Run(s *sequence.Sequence, o Options) []Finding {
	out := one(s, o)
	ids := make([]string, 0, len(o.Children))
	for id := range o.Children {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if c := o.Children[id]; c != nil && c != s {
			for _, f := range one(c, o) {
				f.Sequence = id
				out = append(out, f)
			}
		}
	}
	return out
}

func one(s *sequence.Sequence, o Options) []Finding {
	l := &linter{s: s, o: o}
	l.learn()
	for _, c := range Checks() {
		l.check = c
		c.run(l)
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), rank(a.Severity)-rank(b.Severity))
	})
	return l.found
}

func rank(s Severity) int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// maxFindings bounds the report of a sequence that is wrong everywhere.
const maxFindings = 5000

type linter struct {
	s     *sequence.Sequence
	o     Options
	check Check
	found []Finding

	set     map[string]bool // variables that something in the sequence sets, lower case
	texts   string          // scripts and rules, lower case, for names in them
	secret  map[string]bool // those of them whose value is not to be shown
	unknown bool            // rules or scripts from outside set variables that cannot be known
}

// add reports at a node, nil for the sequence, with the check's own severity and remedy.
func (l *linter) add(n *sequence.Node, format string, args ...any) {
	l.put(l.check.Severity, l.check.Rule, l.check.Remedy, n, fmt.Sprintf(format, args...))
}

func (l *linter) put(severity Severity, rule, remedy string, n *sequence.Node, text string) {
	if len(l.found) >= maxFindings {
		return
	}
	f := Finding{Severity: severity, Check: l.check.ID, Rule: rule, Pointer: -1, Text: text, Remedy: remedy}
	if n != nil {
		f.Pointer, f.Name, f.Line = n.Pointer, n.Name, n.Line
	}
	l.found = append(l.found, f)
}

// steps are the enabled steps of a class, "" for all.
func (l *linter) steps(class string) []*sequence.Node {
	var out []*sequence.Node
	for _, n := range l.s.All() {
		if n.Enabled() && n.Kind != sequence.Group && (class == "" || n.ShortType() == class) {
			out = append(out, n)
		}
	}
	return out
}

func (l *linter) enabled() []*sequence.Node {
	return slices.DeleteFunc(slices.Clone(l.s.All()), func(n *sequence.Node) bool { return !n.Enabled() })
}

// native says whether a sequence is run by Configuration Manager's programs; MDT runs scripts under the same types.
func (l *linter) native() bool { return !strings.HasPrefix(l.s.Version, "3.0") }

// expressions are all tests of a node's condition, with their line.
func expressions(n *sequence.Node) []*sequence.Expression {
	if n.Condition == nil {
		return nil
	}
	var out []*sequence.Expression
	var walk func([]sequence.Operand)
	walk = func(list []sequence.Operand) {
		for _, o := range list {
			if o.Expression != nil {
				out = append(out, o.Expression)
			}
			walk(o.Operands)
		}
	}
	walk(n.Condition.Operands)
	return out
}

// comparison is a test of a variable.
type comparison struct{ name, op, value, said string } // op in lower case, said as written

func compared(x *sequence.Expression) (comparison, bool) {
	if kind(x) != "VariableConditionExpression" {
		return comparison{}, false
	}
	return comparison{x.Field("Variable"), strings.ToLower(strings.TrimSpace(x.Field("Operator"))), x.Field("Value"), x.Field("Operator")}, true
}

// shown is what a variable is compared with; that of a secret one may be a secret too (TS-93).
func (l *linter) shown(c comparison) string {
	name := strings.TrimSpace(c.name)
	if l.secret[strings.ToLower(name)] || variable.IsSecretName(name) {
		return variable.Mask
	}
	return c.value
}

// must are the comparisons that have to hold for a node to run: bare ones and those below "and".
func must(n *sequence.Node) []comparison {
	var out []comparison
	var walk func([]sequence.Operand)
	walk = func(list []sequence.Operand) {
		for _, o := range list {
			switch {
			case o.Expression != nil:
				if c, ok := compared(o.Expression); ok {
					out = append(out, c)
				}
			case o.Operator == "and" || o.Operator == "or" && len(o.Operands) == 1:
				walk(o.Operands)
			}
		}
	}
	if n.Condition != nil {
		walk(n.Condition.Operands)
	}
	return out
}

var percent = regexp.MustCompile(`%([A-Za-z_][A-Za-z0-9_-]*)%`)

// learn gathers which variables the sequence sets.
func (l *linter) learn() {
	l.set, l.secret = map[string]bool{}, map[string]bool{}
	put := func(name string) { l.set[strings.ToLower(strings.TrimSpace(name))] = true }
	var texts strings.Builder
	for _, v := range l.s.Globals {
		put(v.Name)
	}
	for _, n := range l.s.All() {
		if !n.Enabled() || n.Kind == sequence.Group {
			continue
		}
		if flag, _ := n.Input("DoNotShowVariableValue"); strings.EqualFold(strings.TrimSpace(flag), "true") {
			name, _ := n.Input("VariableName")
			l.secret[strings.ToLower(strings.TrimSpace(name))] = true
		}
		for _, v := range n.Defaults {
			name := strings.ToLower(v.Name)
			if !v.Hidden {
				put(v.Name)
			}
			switch {
			case strings.HasSuffix(name, "outputvariablename"), strings.HasSuffix(name, "volumelettervariable"), name == "osddownloaddestinationvariable", name == "variablename":
				put(v.Value)
			}
		}
		for _, r := range rules(n) {
			for _, v := range r.Variables {
				put(v.Name)
			}
		}
		if text, ok := scriptOf(n); ok {
			texts.WriteString(text)
		}
		action := strings.ToLower(n.Action)
		for _, outside := range []string{".wsf", ".vbs", ".ps1", "ztigather", "psdgather"} {
			l.unknown = l.unknown || strings.Contains(action, outside)
		}
		id, _ := n.Input("PackageID")
		script, _ := n.Input("OSDRunPowerShellScriptPackageID")
		l.unknown = l.unknown || n.Kind == sequence.SubSequence || strings.TrimSpace(id+script) != "" && n.ShortType() != "InstallSoftwareAction"
	}
	l.texts = strings.ToLower(texts.String())
}

func rules(n *sequence.Node) []sequence.Rule {
	if n.ShortType() != "SetDynamicVariablesAction" {
		return nil
	}
	text, _ := n.Input("OSDSetDynamicVariablesRules")
	list, _ := sequence.ParseRules(text)
	return list
}
