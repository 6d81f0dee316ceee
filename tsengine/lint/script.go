package lint

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

const source = "OSDRunPowerShellScriptSourceScript"

// scriptOf is the text of an inline script; ok is false when there is none or it cannot be decoded (TS-103).
func scriptOf(n *sequence.Node) (text string, ok bool) {
	if n.ShortType() != "RunPowerShellScriptAction" {
		return "", false
	}
	value, _ := n.Input(source)
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err != nil || len(data) < 2 || len(data)%2 != 0 || data[0] != 0xFF || data[1] != 0xFE {
		return "", false
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i < len(data); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(data[i:]))
	}
	return string(utf16.Decode(units)), true
}

func scriptBroken(l *linter) {
	for _, n := range l.steps("RunPowerShellScriptAction") {
		if value, _ := n.Input(source); strings.TrimSpace(value) != "" && !strings.Contains(value, "%") {
			if _, ok := scriptOf(n); !ok {
				l.add(n, "the inline script is not base64 of UTF-16 with its mark, and cannot be run")
			}
		}
	}
}
