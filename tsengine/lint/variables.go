package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// assigned is a variable that a step or a rule sets.
type assigned struct {
	node        *sequence.Node
	name, value string
}

func (l *linter) assignments() []assigned {
	var out []assigned
	for _, n := range l.steps("") {
		if n.ShortType() == "SetVariableAction" {
			name, _ := n.Input("VariableName")
			value, _ := n.Input("VariableValue")
			out = append(out, assigned{n, name, value})
		}
		for _, r := range rules(n) {
			for _, v := range r.Variables {
				out = append(out, assigned{n, v.Name, v.Value})
			}
		}
	}
	return out
}

func unsetVariable(l *linter) {
	if l.unknown {
		return // rules and scripts from outside may set anything
	}
	reported := map[string]bool{}
	report := func(n *sequence.Node, name, how string) {
		key := strings.ToLower(name)
		if reported[key] || l.set[key] || knownName(name) || strings.Contains(l.texts, key) {
			return
		}
		reported[key] = true
		l.add(n, "%s is %s and nothing here sets it", name, how)
	}
	for _, n := range l.enabled() {
		for _, x := range expressions(n) {
			if c, ok := compared(x); ok && c.op != "exists" && c.op != "notexists" && c.value != "" && c.op != "notequals" {
				report(n, strings.TrimSpace(c.name), "tested")
			}
		}
		if n.Kind == sequence.Group {
			continue
		}
		for _, v := range append(slices.Clone(n.Defaults), sequence.Variable{Value: n.Action}) {
			for _, m := range percent.FindAllStringSubmatch(v.Value, -1) {
				report(n, m[1], "used")
			}
		}
	}
}

func readOnly(l *linter) {
	for _, a := range l.assignments() {
		if strings.HasPrefix(strings.TrimSpace(a.name), "_") {
			l.add(a.node, "it sets %s, which is read-only", a.name)
		}
	}
}

func variableName(l *linter) {
	for _, a := range l.assignments() {
		name := strings.TrimSpace(a.name)
		if name == "" || strings.HasPrefix(name, "_") {
			continue // findings of their own
		}
		if rest := percent.ReplaceAllString(name, "x"); variable.CheckName(rest) != nil {
			l.add(a.node, "%q cannot be the name of a variable", a.name)
		} else if rest != name && percent.FindString(name) == name {
			l.put(Warning, l.check.Rule, "write the name alone, unless the variable is to hold a name", a.node, fmt.Sprintf("it sets the variable whose name %s holds", name))
		}
	}
	l.eachComparison(func(n *sequence.Node, c comparison) {
		if name := strings.TrimSpace(c.name); name != "" && variable.CheckName(name) != nil {
			l.add(n, "the condition tests %q, which cannot be the name of a variable", c.name)
		}
	})
}

var secretArgument = regexp.MustCompile(`(?i)(?:[-/](?:p|pw|pwd|pass|password|passwd|secret|apikey|token)[:= ]+|\b(?:password|passwd|pwd|passphrase|secret|apikey)\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s"'&|]+)`)

var netUser = regexp.MustCompile(`(?i)\bnet(?:\.exe)?\s+(?:user\s+\S+\s+|use\s+\S+(?:\s+\\\\\S+)?\s+(?:/user:\S+\s+)?)([^\s/\\*][^\s]*)`)

func secretInCommand(l *linter) {
	for _, n := range l.steps("") {
		lines := []string{n.Action}
		for _, name := range []string{"CommandLine", "OSDRunPowerShellScriptParameters"} {
			v, _ := n.Input(name)
			lines = append(lines, v)
		}
		for _, line := range lines {
			if holdsSecret(line) {
				l.add(n, "its command line holds a password or key in clear")
				break
			}
		}
	}
}

func holdsSecret(line string) bool {
	for _, m := range secretArgument.FindAllStringSubmatch(line, -1) {
		v := strings.Trim(m[1], `"'`)
		if v != "" && !strings.ContainsAny(v, "%$*<") && !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "-") && len(v) > 2 && !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
			lower := strings.ToLower(m[0])
			if strings.HasPrefix(lower, "-p ") || strings.HasPrefix(lower, "/p ") || strings.HasPrefix(lower, "-p:") || strings.HasPrefix(lower, "/p:") {
				continue // -p is a path, a port or a profile more often than a password
			}
			return true
		}
	}
	m := netUser.FindStringSubmatch(line)
	return m != nil && !strings.ContainsAny(m[1], "%$")
}

// listVariables finds the numbered entries of the lists that install steps name (TS-90).
func (l *linter) lists(class string, digits int) map[string]map[int]assigned {
	out := map[string]map[int]assigned{}
	for _, n := range l.steps(class) {
		base, _ := n.Input("BaseVariableName")
		if base = strings.ToLower(strings.TrimSpace(base)); base == "" || strings.Contains(base, "%") {
			continue
		}
		out[base] = map[int]assigned{}
		for _, a := range l.assignments() {
			rest, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(a.name)), base)
			if !ok || len(rest) != digits {
				continue
			}
			number := 0
			if _, err := fmt.Sscanf(rest, "%d", &number); err == nil && number > 0 {
				out[base][number] = a
			}
		}
	}
	return out
}

func packageListCase(l *linter) {
	for _, list := range l.lists("InstallSoftwareAction", 3) {
		for _, a := range list {
			id, _, found := strings.Cut(a.value, ":")
			if found && !strings.Contains(id, "%") && id != strings.ToUpper(id) {
				l.add(a.node, "%s is %q; the id has lower-case letters", a.name, a.value)
			}
		}
	}
}

func listGap(l *linter) {
	for class, digits := range map[string]int{"InstallSoftwareAction": 3, "InstallApplicationAction": 2} {
		for _, list := range l.lists(class, digits) {
			highest := 0
			for i := range list {
				highest = max(highest, i)
			}
			for i := 1; i < highest; i++ {
				if _, ok := list[i]; !ok {
					a := list[highest]
					l.add(a.node, "%s is never reached: number %0*d is missing", a.name, digits, i)
					break
				}
			}
		}
	}
}

func rulesBroken(l *linter) {
	for _, n := range l.steps("SetDynamicVariablesAction") {
		text, _ := n.Input("OSDSetDynamicVariablesRules")
		if _, err := sequence.ParseRules(text); err != nil {
			l.add(n, "the rules cannot be read: %v", err)
		}
	}
}
