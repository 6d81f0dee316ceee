package site

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzShellOffsets: pieces come again, in another order, with gaps and from anywhere; readers ask for anything. What is read
// at an offset is what was written there, and no more is kept than may be.
func FuzzShellOffsets(f *testing.F) {
	f.Add([]byte{0, 0, 5, 1, 0, 0, 0, 3, 9, 1, 5, 0})
	f.Add([]byte{0, 0, 255, 0, 200, 255, 2, 0, 0, 1, 3, 0, 0, 255, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		const total = 1 << 16
		stream := make([]byte, 2*total)
		for i := range stream {
			stream[i] = byte(i * 31 >> 3)
		}
		var p pipe
		taken := int64(0) // what a reader has had without a gap
		for ; len(script) >= 3; script = script[3:] {
			at, size := int64(script[1])*257, int64(script[2])*64
			switch script[0] % 4 {
			case 0: // near what is expected next
				at += p.end() - 128*257
			case 1:
				at = p.end()
			}
			if script[0]%2 == 0 {
				if at < 0 || at+size > int64(len(stream)) {
					p.write(at, make([]byte, max(0, min(size, -at)))) // before the beginning there is nothing
					continue
				}
				before := p.end()
				p.write(at, stream[at:at+size])
				require.LessOrEqual(t, p.end(), max(before, at+size))
			} else {
				if script[0]%8 == 1 {
					at = taken
				}
				got := p.read(at)
				if len(got) > 0 {
					require.Equal(t, stream[at:at+int64(len(got))], got)
				}
				if at == taken {
					taken += int64(len(got))
				}
			}
			require.LessOrEqual(t, len(p.buf), maxShellBuffer)
			require.LessOrEqual(t, p.begin, p.end())
		}
	})
}
