package wql

import "strings"

// element is one place of a pattern: any run (%), any character (_), or one of a set.
type element struct {
	kind   byte // '%', '_', '[' or 'c'
	char   rune
	negate bool
	ranges [][2]rune
}

func (e element) accepts(r rune) bool {
	switch e.kind {
	case '_':
		return true
	case 'c':
		return e.char == r
	}
	for _, one := range e.ranges {
		if one[0] <= r && r <= one[1] {
			return !e.negate
		}
	}
	return e.negate
}

// Like matches a whole value against a LIKE pattern without regard to case: % is any run, _ any one character, [a-f] or
// [abc] one of a set, [^abc] one not of the set. A bracket that is not closed is itself. It goes back to the last % only,
// so that its time is bounded by the product of both lengths.
func Like(value, pattern string) bool {
	v, p := []rune(strings.ToUpper(value)), elements(pattern)
	i, j, star, mark := 0, 0, -1, 0
	for i < len(v) {
		switch {
		case j < len(p) && p[j].kind == '%':
			star, mark = j, i
			j++
		case j < len(p) && p[j].accepts(v[i]):
			i++
			j++
		case star >= 0:
			if star == len(p)-1 {
				return true
			}
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j].kind == '%' {
		j++
	}
	return j == len(p)
}

func elements(pattern string) []element {
	s := []rune(strings.ToUpper(pattern))
	list := make([]element, 0, len(s))
	noClose := false // once one bracket finds no end, none behind it does
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%':
			if n := len(list); n == 0 || list[n-1].kind != '%' {
				list = append(list, element{kind: '%'})
			}
			continue
		case s[i] == '_':
			list = append(list, element{kind: '_'})
			continue
		case s[i] == '[' && !noClose:
			if e, next := set(s, i); next > 0 {
				list = append(list, e)
				i = next - 1
				continue
			}
			noClose = true
		}
		list = append(list, element{kind: 'c', char: s[i]})
	}
	return list
}

// set reads [..] from s[i]; next is 0 when it is not closed. A ] directly behind the opening belongs to the set.
func set(s []rune, i int) (e element, next int) {
	e.kind = '['
	i++
	if i < len(s) && s[i] == '^' {
		e.negate = true
		i++
	}
	for first := true; i < len(s); first = false {
		switch {
		case s[i] == ']' && !first:
			return e, i + 1
		case i+2 < len(s) && s[i+1] == '-' && s[i+2] != ']':
			e.ranges = append(e.ranges, [2]rune{min(s[i], s[i+2]), max(s[i], s[i+2])})
			i += 3
		default:
			e.ranges = append(e.ranges, [2]rune{s[i], s[i]})
			i++
		}
	}
	return element{}, 0
}
