package variable

import "strings"

// Expand replaces %name% by the value of the variable (TS-91): one pass, no recursion, names that are not defined stay
// as written, %% is not an escape.
func (e *Environment) Expand(text string) string {
	out, _ := e.expand(text, false)
	return out
}

// ExpandSecret is Expand and says whether a secret variable went into the result.
func (e *Environment) ExpandSecret(text string) (expanded string, secret bool) {
	return e.expand(text, false)
}

// ExpandMasked is Expand for the eye: secret variables appear as the mask.
func (e *Environment) ExpandMasked(text string) string {
	out, _ := e.expand(text, true)
	return e.Mask(out)
}

func (e *Environment) expand(text string, masked bool) (string, bool) {
	first := strings.IndexByte(text, '%')
	if first < 0 {
		return text, false
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	var b strings.Builder
	secret := false
	for text != "" {
		i := strings.IndexByte(text, '%')
		if i < 0 {
			break
		}
		b.WriteString(text[:i])
		text = text[i:]
		j := strings.IndexByte(text[1:], '%')
		if j < 0 {
			break
		}
		if name := text[1 : 1+j]; j > 0 && j <= MaxName && CheckName(name) == nil && name[0] != ' ' && name[j-1] != ' ' {
			if n, ok := e.find(name); ok {
				value := n.value
				if e.secret(n) {
					secret = true
					if masked {
						value = Mask
					}
				}
				b.WriteString(value)
				text = text[j+2:]
				continue
			}
		}
		// Not a variable: the second % may open the next one.
		b.WriteString(text[:1+j])
		text = text[1+j:]
	}
	b.WriteString(text)
	return b.String(), secret
}
