package hive

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
)

// ErrFormat says that a file is no hive, or a damaged one.
var ErrFormat = errors.New("not a registry hive")

// Kind is the type of a value, as winnt.h numbers them.
type Kind uint32

// The kinds of values that are made here. Others are read as they are.
const (
	Text   Kind = 1 // REG_SZ
	Binary Kind = 3 // REG_BINARY
	DWord  Kind = 4 // REG_DWORD
	List   Kind = 7 // REG_MULTI_SZ
)

// Key is a key with all that is below it. Names of keys and of values are unique without regard to case.
type Key struct {
	Name   string
	Keys   []*Key
	Values []Value
}

// Value is one value of a key. Data is as the hive holds it: texts are UTF-16LE with a zero at the end.
type Value struct {
	Name string
	Kind Kind
	Data []byte
}

// Add appends a new key and returns it.
func (k *Key) Add(name string) *Key {
	child := &Key{Name: name}
	k.Keys = append(k.Keys, child)
	return child
}

// Find follows names without regard to case; nil when there is no such key.
func (k *Key) Find(path ...string) *Key {
next:
	for _, name := range path {
		for _, child := range k.Keys {
			if strings.EqualFold(child.Name, name) {
				k = child
				continue next
			}
		}
		return nil
	}
	return k
}

// Value finds a value without regard to case.
func (k *Key) Value(name string) (Value, bool) {
	for _, v := range k.Values {
		if strings.EqualFold(v.Name, name) {
			return v, true
		}
	}
	return Value{}, false
}

// SetText appends a value of one text.
func (k *Key) SetText(name, text string) {
	k.Values = append(k.Values, Value{Name: name, Kind: Text, Data: encode(text + "\x00")})
}

// SetList appends a value of several texts, none of which may be empty.
func (k *Key) SetList(name string, texts ...string) {
	all := strings.Join(texts, "\x00") + "\x00\x00"
	if len(texts) == 0 {
		all = "\x00"
	}
	k.Values = append(k.Values, Value{Name: name, Kind: List, Data: encode(all)})
}

// SetDWord appends a value of 32 bits.
func (k *Key) SetDWord(name string, n uint32) {
	k.Values = append(k.Values, Value{Name: name, Kind: DWord, Data: binary.LittleEndian.AppendUint32(nil, n)})
}

// SetBinary appends a value of bytes.
func (k *Key) SetBinary(name string, data []byte) {
	k.Values = append(k.Values, Value{Name: name, Kind: Binary, Data: data})
}

// Text is the value as one text, without the zero at its end.
func (v Value) Text() string {
	text, _, _ := strings.Cut(decode(v.Data), "\x00")
	return text
}

// List is the value as several texts.
func (v Value) List() []string {
	all := strings.TrimRight(decode(v.Data), "\x00")
	if all == "" {
		return nil
	}
	return strings.Split(all, "\x00")
}

func encode(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func decode(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
