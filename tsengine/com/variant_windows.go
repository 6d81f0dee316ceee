package com

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// Kinds of variants (wtypes.h).
const (
	kindEmpty   = 0
	kindInt32   = 3
	kindText    = 8
	kindVariant = 12
	kindArray   = 0x2000
	kindByRef   = 0x4000
)

// variant is a VARIANT of 64-bit Windows.
type variant struct {
	kind uint16
	_    [3]uint16
	data uintptr
	_    uintptr
}

// automation are the functions for values that scripts pass (oleaut32.dll).
type automation struct {
	allocate, free, length, change, clear *windows.LazyProc
	array, access, leave, destroy         *windows.LazyProc
}

func loadAutomation() (automation, error) {
	dll := windows.NewLazySystemDLL("oleaut32.dll")
	a := automation{
		allocate: dll.NewProc("SysAllocStringLen"), free: dll.NewProc("SysFreeString"), length: dll.NewProc("SysStringLen"),
		change: dll.NewProc("VariantChangeType"), clear: dll.NewProc("VariantClear"), array: dll.NewProc("SafeArrayCreateVector"),
		access: dll.NewProc("SafeArrayAccessData"), leave: dll.NewProc("SafeArrayUnaccessData"), destroy: dll.NewProc("SafeArrayDestroy"),
	}
	for _, p := range []*windows.LazyProc{a.allocate, a.free, a.length, a.change, a.clear, a.array, a.access, a.leave, a.destroy} {
		if err := p.Find(); err != nil {
			return a, err
		}
	}
	return a, nil
}

// bstr makes a text that the receiver frees.
func (a automation) bstr(s string) (uintptr, Result) {
	// Not UTF16FromString: a value may hold a zero.
	units := windows.StringToUTF16(noZero(s))
	b, _, _ := a.allocate.Call(uintptr(unsafe.Pointer(&units[0])), uintptr(len(units)-1))
	if b == 0 {
		return 0, outOfMemory
	}
	return b, ok
}

func noZero(s string) string {
	for i := range len(s) {
		if s[i] == 0 {
			return s[:i]
		}
	}
	return s
}

// text is a value as a text, as the script language writes it: True, 3, and so on.
func (a automation) text(v *variant) (string, Result) {
	const wordsForBool = 2 // VARIANT_ALPHABOOL: True and not -1, so that conditions find what was meant
	var changed variant
	if r, _, _ := a.change.Call(uintptr(unsafe.Pointer(&changed)), uintptr(unsafe.Pointer(v)), wordsForBool, kindText); Result(r).Failed() {
		return "", Result(r)
	}
	defer a.clear.Call(uintptr(unsafe.Pointer(&changed)))
	n, _, _ := a.length.Call(changed.data)
	if n == 0 {
		return "", ok
	}
	return windows.UTF16ToString(unsafe.Slice(*(**uint16)(unsafe.Pointer(&changed.data)), uint32(n))), ok
}

// number is a value as a whole number.
func (a automation) number(v *variant) (int64, Result) {
	const kindInt64 = 20 // numbers of scripts are signed and small; a ULONG fits
	var changed variant
	if r, _, _ := a.change.Call(uintptr(unsafe.Pointer(&changed)), uintptr(unsafe.Pointer(v)), 0, kindInt64); Result(r).Failed() {
		return 0, Result(r)
	}
	return int64(changed.data), ok
}

// setText makes v, which is empty, a text.
func (a automation) setText(v *variant, s string) Result {
	b, r := a.bstr(s)
	if r.Failed() {
		return r
	}
	v.kind, v.data = kindText, b
	return ok
}

// setTexts makes v, which is empty, an array of variants with texts, which is what scripts can walk.
func (a automation) setTexts(v *variant, list []string) Result {
	array, _, _ := a.array.Call(kindVariant, 0, uintptr(len(list)))
	if array == 0 {
		return outOfMemory
	}
	var first *variant
	if r, _, _ := a.access.Call(array, uintptr(unsafe.Pointer(&first))); Result(r).Failed() {
		_, _, _ = a.destroy.Call(array)
		return Result(r)
	}
	elements := unsafe.Slice(first, len(list))
	result := ok
	for i, s := range list {
		if result = a.setText(&elements[i], s); result.Failed() {
			break
		}
	}
	_, _, _ = a.leave.Call(array)
	if result.Failed() {
		_, _, _ = a.destroy.Call(array) // with the texts in it
		return result
	}
	v.kind, v.data = kindArray|kindVariant, array
	return ok
}

// setResult writes a number to where an output argument points.
func setResult(v *variant, n int32) Result {
	switch v.kind {
	case kindByRef | kindInt32, kindByRef | 19: // long, unsigned long
		**(**int32)(unsafe.Pointer(&v.data)) = n
	case kindByRef | kindVariant:
		target := *(**variant)(unsafe.Pointer(&v.data))
		if target.kind > kindInt32 { // something that would have to be freed
			return typeMismatch
		}
		target.kind, target.data = kindInt32, uintptr(uint32(n))
	default:
		return typeMismatch
	}
	return ok
}
