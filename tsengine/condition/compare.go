package condition

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// variable evaluates a Task Sequence Variable expression (TS-64 to TS-70).
func (e *Evaluator) variable(x *sequence.Expression) (Verdict, error) {
	name := strings.TrimSpace(x.Field("Variable"))
	if name == "" {
		return Verdict{}, fmt.Errorf("a variable expression without a variable (TS-23)")
	}
	have, set := e.Variables.Lookup(name)
	want := e.Variables.Expand(x.Field("Value")) // TS-70
	operator := x.Field("Operator")
	holds, err := compareValues(operator, have, want, set)
	if err != nil {
		return Verdict{}, err
	}
	// Plain quotes: escaping would change a secret so that the mask no longer finds it.
	state, value := `it is "`+have+`"`, x.Field("Value")
	if e.Variables.Secret(name) { // then what it is compared with may be one too
		state, value = "it is secret", variable.Mask
	}
	if !set {
		state = "it is not set"
	}
	reason := fmt.Sprintf(`%s %s "%s": %t, %s`, name, operator, value, holds, state)
	if w := strings.ToLower(operator); w == "exists" || w == "notexists" {
		reason = fmt.Sprintf("%s %s: %t", name, operator, holds)
	}
	return Verdict{holds, reason}, nil
}

func compareValues(operator, have, want string, set bool) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(operator)) {
	case "exists":
		return set && have != "", nil // TS-65
	case "notexists":
		return !set || have == "", nil
	case "equals":
		return Compare(have, want) == 0, nil
	case "notequals":
		return Compare(have, want) != 0, nil
	case "greater":
		return Compare(have, want) > 0, nil
	case "greaterequal":
		return Compare(have, want) >= 0, nil
	case "less":
		return Compare(have, want) < 0, nil
	case "lessequal":
		return Compare(have, want) <= 0, nil
	case "like":
		return Like(have, want), nil
	case "notlike":
		return !Like(have, want), nil
	}
	return false, fmt.Errorf("unknown comparison %q (TS-64)", operator)
}

// Compare orders two values: as numbers when both are integers (TS-67), else as text without regard to case, ordinal
// and untrimmed (TS-68). A negative 32-bit number and its unsigned twin are equal (TS-33). It returns -1, 0 or 1.
func Compare(a, b string) int {
	x, okX := integer(a)
	y, okY := integer(b)
	if okX && okY {
		if x == y || twin(x) == y || x == twin(y) {
			return 0
		}
		return cmp.Compare(x, y)
	}
	return strings.Compare(strings.ToUpper(a), strings.ToUpper(b))
}

// integer reads an optional sign and decimal digits; anything else, also blanks around it, is text.
func integer(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func twin(n int64) int64 {
	if n < 0 && n >= math.MinInt32 {
		return n + 1<<32
	}
	return n
}

// Like matches a whole value against a pattern: * is any run, ? is one character, case is ignored (TS-69).
func Like(value, pattern string) bool {
	v, p := []rune(strings.ToUpper(value)), []rune(strings.ToUpper(pattern))
	i, j, star, mark := 0, 0, -1, 0
	for i < len(v) {
		switch {
		case j < len(p) && p[j] == '*':
			star, mark = j, i
			j++
		case j < len(p) && (p[j] == '?' || p[j] == v[i]):
			i++
			j++
		case star >= 0: // let the last star take one more
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '*' {
		j++
	}
	return j == len(p)
}
