package lab

import "time"

// terminalText turns serial output into plain text as it comes: it takes out
// control sequences (ECMA-48), carriage returns and NULs, which firmware sends
// between the letters of a word, and remembers where in the log each byte was.
type terminalText struct {
	text   []byte
	ends   []int64 // ends[i] is the count of raw bytes up to and with text[i]
	raw    int64   // raw bytes seen
	origin int64   // offset of the first raw byte in the log
	state  escapeState
}

type escapeState byte

const (
	inText escapeState = iota
	afterEscape
	inSequence // CSI: up to a byte of 0x40 to 0x7e
	inCharset  // ESC ( and the like: one more byte
	inString   // OSC, DCS: up to BEL or ESC \
)

// textLimit bounds what is kept of one boot. A console that is louder than that
// is matched in pieces; no mark is near this long.
const textLimit = 16 << 20

func (t *terminalText) feed(raw []byte) {
	for _, b := range raw {
		t.raw++
		if t.step(b) {
			t.text = append(t.text, b)
			t.ends = append(t.ends, t.raw)
		}
	}
	if over := len(t.text) - textLimit; over > textLimit/2 {
		t.text = append([]byte(nil), t.text[over:]...)
		t.ends = append([]int64(nil), t.ends[over:]...)
	}
}

// step moves the state by one byte and says whether the byte is text.
func (t *terminalText) step(b byte) bool {
	if b == 0x1b {
		t.state = afterEscape
		return false
	}
	switch t.state {
	case afterEscape:
		switch b {
		case '[':
			t.state = inSequence
		case '(', ')', '*', '+', '#', '%', ' ':
			t.state = inCharset
		case ']', 'P', '^', '_', 'X':
			t.state = inString
		default:
			t.state = inText
		}
		return false
	case inSequence:
		// A control character ends a broken sequence, so that line noise
		// cannot swallow the lines that follow.
		if b >= 0x40 && b <= 0x7e || b == '\n' {
			t.state = inText
		}
		return b == '\n'
	case inCharset:
		t.state = inText
		return false
	case inString:
		if b == 0x07 || b == '\n' {
			t.state = inText
		}
		return b == '\n'
	default:
		return b == '\n' || b == '\t' || b >= 0x20 && b != 0x7f
	}
}

func (t *terminalText) match(loc []int) Match {
	m := Match{Text: string(t.text[loc[0]:loc[1]]), End: t.origin, At: time.Now()}
	if loc[1] > 0 {
		m.End = t.origin + t.ends[loc[1]-1]
	}
	for i := 2; i+1 < len(loc); i += 2 {
		group := ""
		if loc[i] >= 0 {
			group = string(t.text[loc[i]:loc[i+1]])
		}
		m.Groups = append(m.Groups, group)
	}
	return m
}
