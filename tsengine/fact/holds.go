package fact

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/wql"
)

var (
	_ condition.Facts = (*Sheet)(nil)
	_ condition.Files = (*Sheet)(nil)
)

// Holds implements condition.Facts (TS-73 to TS-78).
func (s *Sheet) Holds(_ context.Context, x *sequence.Expression) (condition.Verdict, error) {
	switch strings.ToLower(x.ShortType()) {
	case "wmiconditionexpression":
		return s.query(x.Field("Namespace"), x.Field("Query"))
	case "registryconditionexpression":
		return s.registryHolds(x)
	case "softwareconditionexpression":
		return s.softwareHolds(x)
	case "osconditionexpression":
		return s.osHolds(x)
	}
	return condition.Verdict{}, fmt.Errorf("the fact sheet says nothing about %s: %w", x.ShortType(), condition.ErrUnknown)
}

// query is true when at least one instance comes back (TS-74). Variables are never expanded in it (TS-75).
func (s *Sheet) query(namespace, text string) (condition.Verdict, error) {
	q, err := wql.Parse(text)
	switch {
	case errors.Is(err, wql.ErrUnsupported):
		return condition.Verdict{}, fmt.Errorf("%w: %w", condition.ErrUnknown, err)
	case err != nil:
		return condition.Verdict{}, err // TS-23
	}
	c := s.Class(namespace, q.Class)
	if c == nil {
		return condition.Verdict{}, fmt.Errorf("%w: no class %s in %s", condition.ErrUnknown, q.Class, Namespace(namespace))
	}
	for _, i := range c.Instances {
		if q.Matches(i) {
			return condition.Verdict{Holds: true, Reason: describe(c.Name, q, i, len(c.Instances))}, nil
		}
	}
	return condition.Verdict{Reason: noMatch(c, q)}, nil
}

// maxShown bounds how many instances and how long a value a reason shows.
const (
	maxShown = 3
	maxValue = 120
)

func noMatch(c *Class, q *wql.Query) string {
	if len(c.Instances) == 0 {
		return "there is no instance of " + c.Name
	}
	var shown []string
	for _, i := range c.Instances[:min(len(c.Instances), maxShown)] {
		shown = append(shown, describe(c.Name, q, i, 1))
	}
	reason := strings.Join(shown, "; ")
	if more := len(c.Instances) - len(shown); more > 0 {
		reason += fmt.Sprintf("; and %d more", more)
	}
	return reason
}

// describe names the values of the properties that a query looks at.
func describe(class string, q *wql.Query, i Instance, instances int) string {
	var parts []string
	seen := map[string]bool{}
	for _, name := range q.Properties() {
		if seen[strings.ToLower(name)] {
			continue
		}
		seen[strings.ToLower(name)] = true
		value, ok := i.Property(name)
		if !ok {
			parts = append(parts, class+"."+name+" is unknown")
			continue
		}
		parts = append(parts, class+"."+name+" is "+show(value))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%s has %d instance(s)", class, instances)
	}
	return strings.Join(parts, ", ")
}

// show is a value for a reader.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if r := []rune(v); len(r) > maxValue {
			v = string(r[:maxValue]) + "..."
		}
		return `"` + v + `"`
	case []any:
		return "{" + text(v) + "}"
	}
	return text(v)
}

// registryHolds is TS-73.
func (s *Sheet) registryHolds(x *sequence.Expression) (condition.Verdict, error) {
	path, name, kind := x.Field("KeyPath"), x.Field("Value"), strings.ToUpper(strings.TrimSpace(x.Field("Type")))
	operator := strings.ToLower(strings.TrimSpace(x.Field("Operator")))
	if operator == "nonexists" { // the class page's spelling
		operator = "notexists"
	}
	if s.Registry == nil {
		return condition.Verdict{}, fmt.Errorf("%w: no registry here", condition.ErrUnknown)
	}
	key := s.Registry[KeyPath(path)]
	what := strings.Trim(path, `\`)
	if name != "" {
		what += `\` + name
	}
	if operator == "exists" || operator == "notexists" {
		there, reason := key.has(what, name, kind)
		return condition.Verdict{Holds: there == (operator == "exists"), Reason: reason}, nil
	}
	if !comparison(operator) {
		return condition.Verdict{}, fmt.Errorf("unknown comparison %q (TS-73)", x.Field("Operator"))
	}
	v, ok := key.value(name)
	if !ok {
		return condition.Verdict{Reason: what + " does not exist"}, nil
	}
	holds, err := condition.Ordered(operator, v.compare(x.Field("Data")))
	return condition.Verdict{Holds: holds, Reason: what + " is " + show(v.Data)}, err
}

func comparison(operator string) bool {
	_, err := condition.Ordered(operator, 0)
	return err == nil
}

func (k *Key) value(name string) (Value, bool) {
	if k == nil {
		return Value{}, false
	}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "(default)", "@":
		name = ""
	}
	v, ok := k.Values[strings.ToLower(name)]
	return v, ok
}

// has says whether a value of a type is there, or with neither name nor type the key.
func (k *Key) has(what, name, kind string) (bool, string) {
	v, ok := k.value(name)
	switch {
	case k == nil:
		return false, what + " does not exist"
	case name == "" && kind == "":
		return true, "key " + what + " exists"
	case !ok:
		return false, what + " does not exist"
	case kind != "" && !v.is(kind):
		return false, fmt.Sprintf("%s is no %s but %s", what, kind, v.kind())
	}
	return true, what + " exists"
}

// kind is the type of a value; where the sheet does not say, what its data look like.
func (v Value) kind() string {
	if v.Type != "" {
		return v.Type
	}
	switch v.Data.(type) {
	case int64, uint64, bool:
		return "REG_DWORD"
	case []any:
		return "REG_MULTI_SZ"
	}
	return "REG_SZ"
}

// is compares types. Data without a type may be of either kind of number or text.
func (v Value) is(kind string) bool {
	if !strings.HasPrefix(kind, "REG_") {
		kind = "REG_" + kind
	}
	have := v.kind()
	if v.Type != "" || have == "REG_MULTI_SZ" {
		return strings.EqualFold(strings.TrimPrefix(have, "REG_"), strings.TrimPrefix(kind, "REG_"))
	}
	if have == "REG_DWORD" {
		return kind == "REG_DWORD" || kind == "REG_QWORD"
	}
	return kind == "REG_SZ" || kind == "REG_EXPAND_SZ"
}

// compare orders the data against a wanted value: numbers when both are integers, else text. Several texts count as
// one, a line each.
func (v Value) compare(want string) int {
	if kind := v.kind(); kind == "REG_DWORD" || kind == "REG_QWORD" { // always numeric, also when hexadecimal
		have, errHave := integer(text(v.Data))
		wanted, errWant := integer(want)
		if errHave == nil && errWant == nil {
			return condition.Compare(strconv.FormatInt(have, 10), strconv.FormatInt(wanted, 10))
		}
	}
	have := text(v.Data)
	if list, ok := v.Data.([]any); ok {
		lines := make([]string, len(list))
		for i := range list {
			lines[i] = text(list[i])
		}
		have = strings.Join(lines, "\n")
		want = strings.ReplaceAll(want, "\r\n", "\n")
	}
	return condition.Compare(have, want)
}

// softwareHolds is TS-78: ThisVersion asks for the product code, AnyVersion for the upgrade code. Where the code an
// operator asks for is absent, the other one decides.
func (s *Sheet) softwareHolds(x *sequence.Expression) (condition.Verdict, error) {
	product, upgrade := Code(x.Field("ProductCode")), Code(x.Field("UpgradeCode"))
	operator := strings.ToLower(strings.TrimSpace(x.Field("Operator")))
	switch operator {
	case "anyversion", "thisversion", "":
	default:
		return condition.Verdict{}, fmt.Errorf("unknown comparison %q, ThisVersion and AnyVersion exist (TS-78)", x.Field("Operator"))
	}
	if s.Software == nil {
		return condition.Verdict{}, fmt.Errorf("%w: no list of installed software here", condition.ErrUnknown)
	}
	for _, p := range s.Software {
		byProduct := product != "" && Code(p.ProductCode) == product
		byUpgrade := upgrade != "" && Code(p.UpgradeCode) == upgrade && (operator == "anyversion" || product == "")
		if byProduct || byUpgrade {
			return condition.Verdict{Holds: true, Reason: strings.TrimSpace(fmt.Sprintf("%s %s is installed", p.title(), p.Version))}, nil
		}
	}
	name := x.Field("ProductName")
	if name == "" {
		name = product + upgrade
	}
	return condition.Verdict{Reason: name + " is not installed"}, nil
}

func (p Product) title() string {
	if p.Name != "" {
		return p.Name
	}
	return p.ProductCode + p.UpgradeCode
}
