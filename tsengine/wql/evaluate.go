package wql

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Instance is one instance of the class that a query names.
type Instance interface {
	// Property returns a property by its name without regard to case: nil, a string, bool, int64, uint64, float64, or a
	// []any of these. What the instance lacks is nil and false and counts as NULL.
	Property(name string) (value any, ok bool)
}

// Matches says whether an instance fulfils the WHERE clause. A comparison with NULL is false, except IS NULL, = NULL and
// their opposites; a comparison with an array is true when it is true for any of its elements.
func (q *Query) Matches(i Instance) bool {
	return q.where == nil || q.where.holds(q, i)
}

type node interface {
	holds(q *Query, i Instance) bool
}

type (
	allOf    []node
	anyOf    []node
	negation struct{ of node }
)

func (n allOf) holds(q *Query, i Instance) bool {
	for _, one := range n {
		if !one.holds(q, i) {
			return false
		}
	}
	return true
}

func (n anyOf) holds(q *Query, i Instance) bool {
	for _, one := range n {
		if one.holds(q, i) {
			return true
		}
	}
	return false
}

func (n negation) holds(q *Query, i Instance) bool { return !n.of.holds(q, i) }

type operator int

const (
	equal operator = iota
	unequal
	less
	lessEqual
	greater
	greaterEqual
	like
	isa
	null
)

var signs = map[string]operator{"=": equal, "==": equal, "<>": unequal, "!=": unequal, "<": less, "<=": lessEqual, ">": greater, ">=": greaterEqual}

// swapped is the operator for operands in the other order.
func (o operator) swapped() operator {
	switch o {
	case less:
		return greater
	case lessEqual:
		return greaterEqual
	case greater:
		return less
	case greaterEqual:
		return lessEqual
	}
	return o
}

func (o operator) accepts(order int) bool {
	switch o {
	case equal:
		return order == 0
	case unequal:
		return order != 0
	case less:
		return order < 0
	case lessEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterEqual:
		return order >= 0
	}
	return false
}

// operand is a property when it has a name, else a constant; a constant nil is NULL.
type operand struct {
	name  string
	index int // of an array, -1 for none
	value any
}

func (o operand) of(q *Query, i Instance) any {
	if o.name == "" {
		return o.value
	}
	name := o.name
	if class, rest, ok := strings.Cut(name, "."); ok && strings.EqualFold(class, q.Class) {
		name = rest
	}
	if strings.EqualFold(name, "__class") {
		return q.Class
	}
	value, _ := i.Property(name)
	if list, ok := value.([]any); ok && o.index >= 0 {
		if o.index >= len(list) {
			return nil
		}
		return list[o.index]
	}
	return value
}

type test struct {
	left  operand
	op    operator
	right operand
}

func (t test) holds(q *Query, i Instance) bool {
	if t.op == isa && strings.EqualFold(t.left.name, "__this") {
		return strings.EqualFold(q.Class, asText(t.right.value))
	}
	a, b := t.left.of(q, i), t.right.of(q, i)
	if t.op == null || t.right.name == "" && b == nil { // IS NULL; = NULL and <> NULL mean the same
		return (a == nil) == (t.op != unequal) && (t.op == null || t.op == equal || t.op == unequal)
	}
	list, ok := a.([]any)
	if !ok {
		list = []any{a}
	}
	for _, one := range list {
		if t.compare(one, b) {
			return true
		}
	}
	return false
}

func (t test) compare(a, b any) bool {
	if a == nil || b == nil {
		return false
	}
	switch t.op {
	case like:
		return Like(asText(a), asText(b))
	case isa:
		return strings.EqualFold(asText(a), asText(b))
	}
	if list, ok := b.([]any); ok {
		for _, one := range list {
			if t.compare(a, one) {
				return true
			}
		}
		return false
	}
	return t.op.accepts(order(a, b))
}

// order compares as WMI does: the type of the property, which is on the left, decides. Where the other side cannot be
// brought to that type, both are compared as text.
func order(a, b any) int {
	if p, ok := a.(bool); ok {
		if q, ok := asBool(b); ok {
			return cmp.Compare(bit(p), bit(q))
		}
	}
	if p, ok := a.(string); ok {
		q, isString := b.(string)
		if isString {
			if s, ok := asTime(p); ok {
				if t, ok := asTime(q); ok {
					return s.Compare(t)
				}
			}
			return strings.Compare(strings.ToUpper(p), strings.ToUpper(q))
		}
		if flag, ok := b.(bool); ok {
			if s, ok := asBool(p); ok {
				return cmp.Compare(bit(s), bit(flag))
			}
		}
	}
	if x, ok := asNumber(a); ok {
		if y, ok := asNumber(b); ok {
			return x.Cmp(y)
		}
	}
	return strings.Compare(strings.ToUpper(asText(a)), strings.ToUpper(asText(b)))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func asBool(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int64:
		return v != 0, true
	case uint64:
		return v != 0, true
	case string:
		switch strings.ToLower(v) {
		case "true", "1", "-1":
			return true, true
		case "false", "0":
			return false, true
		}
	}
	return false, false
}

// asNumber is exact for 64-bit integers of both kinds, which float64 is not.
func asNumber(v any) (*big.Float, bool) {
	number := func() *big.Float { return new(big.Float).SetPrec(64) }
	switch v := v.(type) {
	case int64:
		return number().SetInt64(v), true
	case uint64:
		return number().SetUint64(v), true
	case float64:
		if v != v {
			return nil, false
		}
		return number().SetFloat64(v), true
	case bool:
		return number().SetInt64(int64(bit(v))), true
	case string:
		if n, err := parseNumber(strings.TrimSpace(v)); err == nil {
			return asNumber(n)
		}
	}
	return nil, false
}

// parseNumber reads a decimal or hexadecimal integer or a real number.
func parseNumber(s string) (any, error) {
	s = strings.TrimPrefix(s, "+")
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		n, err := strconv.ParseUint(hex, 16, 64)
		return n, err
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n, nil
	}
	if strings.ContainsAny(s, "_xXpPiInN") { // what Go reads and WQL does not: 1_000, 0x1p2, Inf, NaN
		return nil, strconv.ErrSyntax
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err
}

// asTime reads a whole CIM time, yyyymmddHHMMSS.mmmmmm+UUU with the zone in minutes.
func asTime(s string) (time.Time, bool) {
	if len(s) != 25 || s[14] != '.' || s[21] != '+' && s[21] != '-' {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation("20060102150405.000000", s[:21], time.UTC)
	minutes, errZone := strconv.Atoi(s[21:])
	if err != nil || errZone != nil {
		return time.Time{}, false
	}
	return t.Add(-time.Duration(minutes) * time.Minute), true
}

func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "TRUE"
		}
		return "FALSE"
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return ""
}
