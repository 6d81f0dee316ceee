package apply

import (
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
)

// zstdSize adds up what all frames of a file say that they hold, without
// unpacking them (RFC 8878, 3.1.1). It is false when one does not say it or the
// file is not what it should be.
func zstdSize(f io.ReaderAt, size int64) (int64, bool) {
	var total int64
	for at := int64(0); at < size; {
		buf := make([]byte, zstd.HeaderMaxSize)
		n, _ := f.ReadAt(buf, at) // a short rest has a short header
		var head zstd.Header
		if head.Decode(buf[:n]) != nil {
			return 0, false
		}
		at += int64(head.HeaderSize)
		if head.Skippable {
			at += int64(head.SkippableSize)
			continue
		}
		if !head.HasFCS || head.FrameContentSize > 1<<60 {
			return 0, false
		}
		if total += int64(head.FrameContentSize); total > 1<<60 {
			return 0, false
		}
		if at = skipBlocks(f, at, size); at < 0 {
			return 0, false
		}
		if head.HasCheckSum {
			at += 4
		}
	}
	return total, true
}

// skipBlocks passes over the blocks of a frame: three bytes of header, whose
// lowest bit marks the last one; -1 when there is none.
func skipBlocks(f io.ReaderAt, at, size int64) int64 {
	for at < size {
		var b [4]byte
		if _, err := f.ReadAt(b[:3], at); err != nil {
			return -1
		}
		head := binary.LittleEndian.Uint32(b[:])
		length := int64(head >> 3)
		if kind := head >> 1 & 3; kind == 1 {
			length = 1 // one byte, repeated
		} else if kind == 3 {
			return -1
		}
		if at += 3 + length; head&1 == 1 {
			return at
		}
	}
	return -1
}
