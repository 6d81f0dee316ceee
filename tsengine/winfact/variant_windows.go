package winfact

import (
	"math"
	"strconv"
	"unsafe"

	"golang.org/x/sys/windows"
)

// variant is a VARIANT of 64-bit Windows.
type variant struct {
	kind uint16
	_    [3]uint16
	data [2]uint64
}

// Kinds of variants, and CIM types that say more than the kind.
const (
	kindEmpty, kindNull           = 0, 1
	kindInt16, kindInt32          = 2, 3
	kindReal32, kindReal64        = 4, 5
	kindText, kindBool            = 8, 11
	kindInt8, kindUint8           = 16, 17
	kindUint16, kindUint32        = 18, 19
	kindInt64, kindUint64         = 20, 21
	kindArray                     = 0x2000
	cimUint32                     = 19
	cimInt64, cimUint64, cimArray = 20, 21, 0x2000
)

// maxElements bounds an array of a property.
const maxElements = 1024

// value is a variant as fact.Property has it; what it cannot hold, such as embedded objects, is nil.
func (l *libraries) value(v *variant, cim int32) any {
	if v.kind&kindArray != 0 {
		return l.list(uintptr(v.data[0]), v.kind&^kindArray, cim&^cimArray)
	}
	return scalar(v.kind, unsafe.Pointer(&v.data), cim)
}

func scalar(kind uint16, at unsafe.Pointer, cim int32) any {
	switch kind {
	case kindText:
		s := windows.UTF16PtrToString(*(**uint16)(at))
		switch cim { // 64 bit numbers travel as text
		case cimInt64:
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				return n
			}
		case cimUint64:
			if n, err := strconv.ParseUint(s, 10, 64); err == nil {
				return whole(n)
			}
		}
		return s
	case kindBool:
		return *(*int16)(at) != 0
	case kindInt8:
		return int64(*(*int8)(at))
	case kindUint8:
		return int64(*(*uint8)(at))
	case kindInt16:
		return int64(*(*int16)(at))
	case kindUint16:
		return int64(*(*uint16)(at))
	case kindInt32:
		if cim == cimUint32 {
			return int64(*(*uint32)(at))
		}
		return int64(*(*int32)(at))
	case kindUint32:
		return int64(*(*uint32)(at))
	case kindInt64:
		return *(*int64)(at)
	case kindUint64:
		return whole(*(*uint64)(at))
	case kindReal32:
		return float64(*(*float32)(at))
	case kindReal64:
		return *(*float64)(at)
	}
	return nil
}

func whole(n uint64) any {
	if n <= math.MaxInt64 {
		return int64(n)
	}
	return n
}

func (l *libraries) list(array uintptr, kind uint16, cim int32) any {
	var low, high int32
	if array == 0 {
		return nil
	}
	if r, _, _ := l.lower.Call(array, 1, uintptr(unsafe.Pointer(&low))); check(r) != nil {
		return nil
	}
	if r, _, _ := l.upper.Call(array, 1, uintptr(unsafe.Pointer(&high))); check(r) != nil {
		return nil
	}
	list := []any{}
	for i := low; i <= high && len(list) < maxElements; i++ {
		var element [2]uint64
		if r, _, _ := l.element.Call(array, uintptr(unsafe.Pointer(&i)), uintptr(unsafe.Pointer(&element))); check(r) != nil {
			return list
		}
		list = append(list, scalar(kind, unsafe.Pointer(&element), cim))
		if kind == kindText {
			_, _, _ = l.free.Call(uintptr(element[0]))
		}
	}
	return list
}
