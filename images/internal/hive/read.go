package hive

import (
	"encoding/binary"
	"fmt"
)

// maxKeys bounds what is read; the largest hive that is read here has a few hundred.
const maxKeys = 1 << 16

// Read reads a hive whole. One that Windows did not close, whose changes are in log files, is refused.
func Read(data []byte) (*Key, error) {
	if len(data) < pageSize || string(data[:4]) != "regf" {
		return nil, fmt.Errorf("%w: no header", ErrFormat)
	}
	get := func(at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	if get(508) != checksum(data) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrFormat)
	}
	if get(4) != get(8) {
		return nil, fmt.Errorf("%w: it was not closed, and a part of it is in its log files", ErrFormat)
	}
	size := get(40)
	if get(20) != 1 || int64(size) > int64(len(data)-pageSize) {
		return nil, fmt.Errorf("%w: unknown version, or cut off", ErrFormat)
	}
	r := &reader{data: data[pageSize : pageSize+int(size)], seen: map[uint32]bool{}}
	root, err := r.key(get(36), 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	return root, nil
}

type reader struct {
	data []byte
	seen map[uint32]bool // keys: in a hive of foreign make they could be a ring
}

// cell is the content of a cell of at least size bytes.
func (r *reader) cell(offset uint32, size int, mark string) ([]byte, error) {
	if int64(offset)+4 > int64(len(r.data)) {
		return nil, fmt.Errorf("a cell at %#x is outside", offset)
	}
	length := -int64(int32(binary.LittleEndian.Uint32(r.data[offset:])))
	if length < 4+int64(size) || int64(offset)+length > int64(len(r.data)) {
		return nil, fmt.Errorf("the cell at %#x is free, too small or reaches outside", offset)
	}
	b := r.data[offset+4 : int64(offset)+length]
	if mark != "" && string(b[:2]) != mark {
		return nil, fmt.Errorf("the cell at %#x is %q and not %q", offset, b[:2], mark)
	}
	return b, nil
}

func (r *reader) key(offset uint32, depth int) (*Key, error) {
	if r.seen[offset] || len(r.seen) >= maxKeys || depth > 512 {
		return nil, fmt.Errorf("a key is in the tree twice, there are more than %d, or they are nested too deeply", maxKeys)
	}
	r.seen[offset] = true
	b, err := r.cell(offset, keyHeader, "nk")
	if err != nil {
		return nil, err
	}
	get := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	k := &Key{}
	if k.Name, err = text(b[keyHeader:], binary.LittleEndian.Uint16(b[72:]), binary.LittleEndian.Uint16(b[2:])&flagNarrowKey != 0); err != nil {
		return nil, err
	}
	if n := get(20); n > 0 && get(28) != none {
		offsets, err := r.subkeys(get(28), 0)
		if err != nil {
			return nil, err
		}
		for _, o := range offsets {
			child, err := r.key(o, depth+1)
			if err != nil {
				return nil, err
			}
			k.Keys = append(k.Keys, child)
		}
	}
	n := get(36)
	if n == 0 || get(40) == none {
		return k, nil
	}
	if int64(n)*4 > int64(len(r.data)) {
		return nil, fmt.Errorf("a key with %d values", n)
	}
	list, err := r.cell(get(40), 4*int(n), "")
	if err != nil {
		return nil, err
	}
	for i := range int(n) {
		v, err := r.value(binary.LittleEndian.Uint32(list[4*i:]))
		if err != nil {
			return nil, err
		}
		k.Values = append(k.Values, v)
	}
	return k, nil
}

// subkeys are the offsets of the keys in a list, or in a list of lists.
func (r *reader) subkeys(offset uint32, depth int) ([]uint32, error) {
	b, err := r.cell(offset, 4, "")
	if err != nil {
		return nil, err
	}
	count, width := int(binary.LittleEndian.Uint16(b[2:])), 8
	mark := string(b[:2])
	if mark == "li" || mark == "ri" {
		width = 4
	}
	if mark != "lf" && mark != "lh" && width != 4 || len(b) < 4+width*count || depth > 2 {
		return nil, fmt.Errorf("a list of keys at %#x is damaged", offset)
	}
	var offsets []uint32
	for i := range count {
		o := binary.LittleEndian.Uint32(b[4+width*i:])
		if mark != "ri" {
			offsets = append(offsets, o)
			continue
		}
		more, err := r.subkeys(o, depth+1)
		if err != nil {
			return nil, err
		}
		if offsets = append(offsets, more...); len(offsets) > maxKeys {
			return nil, fmt.Errorf("more than %d keys", maxKeys)
		}
	}
	return offsets, nil
}

func (r *reader) value(offset uint32) (Value, error) {
	b, err := r.cell(offset, valHeader, "vk")
	if err != nil {
		return Value{}, err
	}
	size, data := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	v := Value{Kind: Kind(binary.LittleEndian.Uint32(b[12:]))}
	if v.Name, err = text(b[valHeader:], binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint16(b[16:])&flagNarrowName != 0); err != nil {
		return v, err
	}
	switch {
	case size&inOffset != 0:
		if size &^= inOffset; size > 4 {
			return v, fmt.Errorf("value %.40q has %d bytes in four", v.Name, size)
		}
		v.Data = append([]byte(nil), b[8:8+size]...)
	case size > maxData:
		return v, fmt.Errorf("value %.40q has %d bytes, more than one cell of this version holds", v.Name, size)
	case size > 0:
		content, err := r.cell(data, int(size), "")
		if err != nil {
			return v, err
		}
		v.Data = append([]byte(nil), content[:size]...)
	}
	return v, nil
}

func text(b []byte, length uint16, narrow bool) (string, error) {
	if int(length) > len(b) {
		return "", fmt.Errorf("a name of %d bytes reaches out of its cell", length)
	}
	if !narrow {
		return decode(b[:length]), nil
	}
	wide := make([]rune, length)
	for i := range wide {
		wide[i] = rune(b[i])
	}
	return string(wide), nil
}
