package wql

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a query: MaxLength characters is what the property of the class allows, maxDepth bounds the recursion.
const (
	MaxLength = 16384
	maxDepth  = 100
)

// Error is what is wrong with a query and where.
type Error struct {
	Column int // of the first wrong character, from 1
	Text   string
}

func (e *Error) Error() string { return fmt.Sprintf("WQL, column %d: %s", e.Column, e.Text) }

type kind int

const (
	end    kind = iota
	word        // name or key word
	str         // text in quotes, unescaped
	number      // digits, as written
	sign        // operator or punctuation
)

type token struct {
	kind   kind
	text   string
	column int
}

func (t token) is(key string) bool { return t.kind == word && strings.EqualFold(t.text, key) }

func (t token) String() string {
	switch t.kind {
	case end:
		return "the end of the query"
	case str:
		return fmt.Sprintf("the text %q", t.text)
	}
	return t.text
}

// scan turns a query into tokens; the last one is end.
func scan(query string) ([]token, error) {
	if n := utf8.RuneCountInString(query); n > MaxLength {
		return nil, &Error{MaxLength, fmt.Sprintf("%d characters are too many, the limit is %d", n, MaxLength)}
	}
	s := []rune(strings.TrimRight(query, " \t\r\n\x00;"))
	var tokens []token
	for i := 0; i < len(s); {
		start := i
		add := func(k kind, text string) { tokens = append(tokens, token{k, text, start + 1}) }
		switch r := s[i]; {
		case unicode.IsSpace(r) || r == '\ufeff':
			i++
		case r == '\'' || r == '"':
			text, next, err := quoted(s, i)
			if err != nil {
				return nil, err
			}
			i = next
			add(str, text)
		case isDigit(r) || r == '.' && i+1 < len(s) && isDigit(s[i+1]) || (r == '-' || r == '+') && i+1 < len(s) && (isDigit(s[i+1]) || s[i+1] == '.'):
			for i++; i < len(s) && (isDigit(s[i]) || s[i] == '.' || unicode.IsLetter(s[i]) ||
				(s[i] == '-' || s[i] == '+') && (s[i-1] == 'e' || s[i-1] == 'E')); i++ {
			}
			add(number, string(s[start:i]))
		case r == '_' || unicode.IsLetter(r):
			for i++; i < len(s) && (s[i] == '_' || isDigit(s[i]) || unicode.IsLetter(s[i])); i++ {
			}
			add(word, string(s[start:i]))
		default:
			text := string(r)
			if i+1 < len(s) {
				switch two := string(s[i : i+2]); two {
				case "<=", ">=", "<>", "!=", "==":
					text = two
				}
			}
			if !strings.Contains(" = == <> != < > <= >= ( ) , . * { } [ ] ", " "+text+" ") {
				return nil, &Error{start + 1, fmt.Sprintf("%q does not belong here", text)}
			}
			i += len(text)
			add(sign, text)
		}
	}
	return append(tokens, token{end, "", len(s) + 1}), nil
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// quoted reads a text that begins at s[i]. A backslash takes the special meaning from a quote or a backslash; before
// anything else it is a backslash.
func quoted(s []rune, i int) (text string, next int, err error) {
	var b strings.Builder
	for n := i + 1; n < len(s); n++ {
		switch {
		case s[n] == s[i]:
			return b.String(), n + 1, nil
		case s[n] == '\\' && n+1 < len(s) && (s[n+1] == '\\' || s[n+1] == '\'' || s[n+1] == '"'):
			n++
		}
		b.WriteRune(s[n])
	}
	return "", 0, &Error{i + 1, "a text that begins here has no closing quote"}
}
