package host

import "strings"

// ParseArgs reads a kernel command line. Values may be in double quotes, as the kernel allows; a word without an equals
// sign is an argument with an empty value.
func ParseArgs(line string) map[string]string {
	args := map[string]string{}
	var word strings.Builder
	quoted := false
	flush := func() {
		if word.Len() > 0 {
			name, value, _ := strings.Cut(word.String(), "=")
			args[name] = value
		}
		word.Reset()
	}
	for _, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == 0):
			flush()
		default:
			word.WriteRune(r)
		}
	}
	flush()
	return args
}
