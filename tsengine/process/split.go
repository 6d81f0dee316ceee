package process

import "strings"

// Split cuts a command line into arguments without a shell (TS-100a). Double quotes group as on Windows, where most
// sequences were written: a backslash is a plain character except before a double quote. Single quotes group when they
// open an argument. A quote that is never closed reaches to the end; real sequences have such lines.
func Split(line string) []string {
	var (
		args    []string
		b       strings.Builder
		started bool
		quote   byte
	)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(line) && line[i+1] == '"':
			b.WriteByte('"')
			started = true
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '"' || c == '\'' && !started:
			quote, started = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if started {
				args = append(args, b.String())
				b.Reset()
				started = false
			}
		default:
			b.WriteByte(c)
			started = true
		}
	}
	if started {
		args = append(args, b.String())
	}
	return args
}

// shellLine says whether a line asks for a shell: it begins with sh -c, also by path or as bash. The whole line then
// goes to the shell, which knows its own quoting.
func shellLine(line string) bool {
	fields := strings.Fields(line)
	if len(fields) < 3 || fields[1] != "-c" {
		return false
	}
	switch fields[0] {
	case "sh", "/bin/sh", "/usr/bin/sh", "bash", "/bin/bash", "/usr/bin/bash":
		return true
	}
	return false
}
