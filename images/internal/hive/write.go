package hive

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sizes and marks of the format, version 1.3.
const (
	pageSize   = 4096 // of the base block, and the unit of bins
	binHeader  = 32
	none       = 0xffffffff
	keyHeader  = 76
	valHeader  = 20
	maxName    = 255   // characters of a key's name; the limit of Windows
	maxData    = 16344 // bytes in one cell; more needs a structure of later versions
	maxSubkeys = 500   // in one list; more needs a list of lists
	maxDepth   = 64

	flagRoot       = 0x04 | 0x08 // entry of a hive, cannot be deleted
	flagNarrowKey  = 0x20
	flagNarrowName = 0x01
	inOffset       = 1 << 31 // data of up to four bytes lies where its offset would be
)

// Write makes a hive of the tree below root, whose name is kept too. descriptor is the security descriptor of all its
// keys, in its self-relative form. It refuses what Windows would: names that are empty, too long or there twice.
func Write(root *Key, descriptor []byte, now time.Time) ([]byte, error) {
	w := &writer{time: filetime(now), out: make([]byte, pageSize), bin: pageSize}
	keys, err := w.check(root, 0)
	if err != nil {
		return nil, fmt.Errorf("write a registry hive: %w", err)
	}
	rootCell := w.cell(keyHeader + len(name(root.Name).bytes))
	w.security = w.cell(20 + len(descriptor))
	sk := w.at(w.security)
	copy(sk, "sk")
	put32(sk, 4, w.security, w.security, uint32(keys), uint32(len(descriptor)))
	copy(sk[20:], descriptor)
	w.key(root, rootCell, none, flagRoot)
	w.endBin()
	w.base(rootCell)
	return w.out, nil
}

// writer allocates cells one behind the other. Offsets count from behind the base block.
type writer struct {
	out      []byte
	bin      int // where the open bin begins in out
	time     uint64
	security uint32
}

func (w *writer) check(k *Key, depth int) (keys int, err error) {
	if k.Name == "" || len(name(k.Name).units) > maxName || strings.ContainsAny(k.Name, "\\\x00") {
		return 0, fmt.Errorf("key name %.80q is empty, too long or has characters that no key may have", k.Name)
	}
	if depth > maxDepth || len(k.Keys) > maxSubkeys {
		return 0, errors.New("too many keys below " + k.Name)
	}
	seen := map[string]bool{}
	for _, v := range k.Values {
		if len(v.Data) > maxData || len(name(v.Name).units) > maxName || seen[strings.ToUpper(v.Name)] {
			return 0, fmt.Errorf("value %.80q of key %s is too large or there twice", v.Name, k.Name)
		}
		seen[strings.ToUpper(v.Name)] = true
	}
	clear(seen)
	keys = 1
	for _, child := range k.Keys {
		if seen[strings.ToUpper(child.Name)] {
			return 0, fmt.Errorf("key %s is there twice below %s", child.Name, k.Name)
		}
		seen[strings.ToUpper(child.Name)] = true
		n, err := w.check(child, depth+1)
		if err != nil {
			return 0, err
		}
		keys += n
	}
	return keys, nil
}

// key fills the cell of a key and makes everything below it.
func (w *writer) key(k *Key, cell, parent uint32, flags uint16) {
	children := slices.SortedFunc(slices.Values(k.Keys), func(a, b *Key) int {
		return cmp.Compare(strings.ToUpper(a.Name), strings.ToUpper(b.Name)) // Windows looks them up by halves
	})
	var subkeys, values uint32 = none, none
	var longestKey, longestValue, largest int
	if len(children) > 0 {
		subkeys = w.cell(4 + 8*len(children))
	}
	for i, child := range children {
		n := name(child.Name)
		longestKey = max(longestKey, 2*len(n.units))
		at := w.cell(keyHeader + len(n.bytes))
		list := w.at(subkeys)
		copy(list, "lf")
		binary.LittleEndian.PutUint16(list[2:], uint16(len(children)))
		put32(list, 4+8*i, at)
		copy(list[8+8*i:12+8*i], n.bytes) // a hint: the first letters
		if !n.narrow {
			put32(list, 8+8*i, 0)
		}
		w.key(child, at, cell, 0)
	}
	if len(k.Values) > 0 {
		values = w.cell(4 * len(k.Values))
	}
	for i, v := range k.Values {
		longestValue, largest = max(longestValue, 2*len(name(v.Name).units)), max(largest, len(v.Data))
		at := w.value(v)
		put32(w.at(values), 4*i, at)
	}
	n := name(k.Name)
	b := w.at(cell)
	copy(b, "nk")
	if n.narrow {
		flags |= flagNarrowKey
	}
	binary.LittleEndian.PutUint16(b[2:], flags)
	binary.LittleEndian.PutUint64(b[4:], w.time)
	put32(b, 16, parent, uint32(len(children)), 0, subkeys, none, uint32(len(k.Values)), values, w.security, none,
		uint32(longestKey), 0, uint32(longestValue), uint32(largest), 0)
	binary.LittleEndian.PutUint16(b[72:], uint16(len(n.bytes)))
	copy(b[keyHeader:], n.bytes)
}

func (w *writer) value(v Value) uint32 {
	n := name(v.Name)
	cell := w.cell(valHeader + len(n.bytes))
	size, data := uint32(len(v.Data)), uint32(0)
	if len(v.Data) <= 4 {
		var small [4]byte
		copy(small[:], v.Data)
		size, data = size|inOffset, binary.LittleEndian.Uint32(small[:])
	} else {
		data = w.cell(len(v.Data))
		copy(w.at(data), v.Data)
	}
	b := w.at(cell)
	copy(b, "vk")
	binary.LittleEndian.PutUint16(b[2:], uint16(len(n.bytes)))
	put32(b, 4, size, data, uint32(v.Kind))
	if n.narrow {
		binary.LittleEndian.PutUint16(b[16:], flagNarrowName)
	}
	copy(b[valHeader:], n.bytes)
	return cell
}

// cell allocates room for size bytes and returns its offset. A cell lies in one bin.
func (w *writer) cell(size int) uint32 {
	size = (size + 4 + 7) &^ 7
	if w.bin == len(w.out) || len(w.out)+size > w.binEnd() {
		w.endBin()
		w.bin = len(w.out)
		length := (binHeader + size + pageSize - 1) / pageSize * pageSize
		w.out = append(w.out, make([]byte, binHeader)...)
		b := w.out[w.bin:]
		copy(b, "hbin")
		put32(b, 4, uint32(w.bin-pageSize), uint32(length))
		binary.LittleEndian.PutUint64(b[20:], w.time)
	}
	at := len(w.out)
	w.out = append(w.out, make([]byte, size)...)
	put32(w.out, at, uint32(-int32(size))) // negative: in use
	return uint32(at - pageSize)
}

func (w *writer) binEnd() int {
	return w.bin + int(binary.LittleEndian.Uint32(w.out[w.bin+8:]))
}

// endBin makes one free cell of what is left of the open bin.
func (w *writer) endBin() {
	if w.bin == len(w.out) {
		return
	}
	if left := w.binEnd() - len(w.out); left > 0 {
		at := len(w.out)
		w.out = append(w.out, make([]byte, left)...)
		put32(w.out, at, uint32(left))
	}
	w.bin = len(w.out)
}

func (w *writer) base(root uint32) {
	b := w.out[:pageSize]
	copy(b, "regf")
	put32(b, 4, 1, 1) // two sequence numbers that agree: nothing is half written
	binary.LittleEndian.PutUint64(b[12:], w.time)
	put32(b, 20, 1, 3, 0, 1, root, uint32(len(w.out)-pageSize), 1)
	put32(b, 508, checksum(b))
}

// checksum is that of the base block's first 508 bytes.
func checksum(b []byte) uint32 {
	var sum uint32
	for i := 0; i < 508; i += 4 {
		sum ^= binary.LittleEndian.Uint32(b[i:])
	}
	switch sum {
	case 0:
		return 1
	case none:
		return none - 1
	}
	return sum
}

// at is the content of a cell, with the rest of the hive behind it.
func (w *writer) at(cell uint32) []byte { return w.out[pageSize+int(cell)+4:] }

func put32(b []byte, at int, values ...uint32) {
	for i, v := range values {
		binary.LittleEndian.PutUint32(b[at+4*i:], v)
	}
}

// coded is a name as the hive holds it: one byte a character where that is enough (ISO 8859-1), else UTF-16LE.
type coded struct {
	narrow bool
	bytes  []byte
	units  []byte // one for each UTF-16 unit, for counting
}

func name(s string) coded {
	wide := encode(s)
	c := coded{narrow: true, units: make([]byte, len(wide)/2)}
	for i := range c.units {
		c.units[i] = wide[2*i]
		c.narrow = c.narrow && wide[2*i+1] == 0
	}
	c.bytes = wide
	if c.narrow {
		c.bytes = c.units
	}
	return c
}

// filetime counts 100 ns since 1601.
func filetime(t time.Time) uint64 {
	const epoch = 11644473600 // seconds from 1601 to 1970
	return uint64(t.Unix()+epoch)*1e7 + uint64(t.Nanosecond()/100)
}
