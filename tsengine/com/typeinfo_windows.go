package com

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// signature says of a member how it may be called: PowerShell believes nothing else. Takes has a letter for each argument,
// t a text, n a number, v anything, o a number that is answered; gives is that of the result, zero for none.
type signature struct {
	how   int32 // asMethod, asGet or asPut
	takes string
	gives byte
}

// Kinds of values in descriptions (wtypes.h), beside those of variants.
const (
	kindNothing = 24
	kindPointer = 26
)

// typeDescription is TYPEDESC, elementDescription ELEMDESC and functionDescription FUNCDESC of 64-bit Windows.
type typeDescription struct {
	target *typeDescription
	kind   uint16
}

type elementDescription struct {
	kind     typeDescription
	defaults uintptr
	flags    uint16
}

type functionDescription struct {
	id         int32
	codes      uintptr
	arguments  *elementDescription
	call, how  int32
	convention int32
	count      int16
	_, _, _    int16 // optional ones, place in a method table, codes
	result     elementDescription
	flags      uint16
}

var (
	standardLibrary   = windows.GUID{Data1: 0x20430, Data4: [8]byte{0xC0, 0, 0, 0, 0, 0, 0, 0x46}}
	typeInfoInterface = windows.GUID{Data1: 0x20401, Data4: [8]byte{0xC0, 0, 0, 0, 0, 0, 0, 0x46}}
)

// foreign is an object of COM itself; calls go by the place of a method in its interface.
type foreign struct{ methods *[32]uintptr }

func (f *foreign) call(method int, args ...uintptr) error {
	r, _, _ := syscall.SyscallN(f.methods[method], append([]uintptr{uintptr(unsafe.Pointer(f))}, args...)...)
	return check(r)
}

func (f *foreign) release() { _ = f.call(2) }

// Places of methods in ICreateTypeLib2, ICreateTypeInfo and ITypeLib.
const (
	libraryCreate = 3
	infoSetID     = 3
	infoRefer     = 8
	infoAdd       = 9
	infoInherit   = 10
	infoNames     = 15
	infoLayOut    = 25
	libraryByID   = 6
)

// describe makes the type information of the class, an ITypeInfo of a dispatch interface, which lasts as long as the
// process.
func (c *class) describe() (*foreign, error) {
	dll := windows.NewLazySystemDLL("oleaut32.dll")
	create := dll.NewProc("CreateTypeLib2")
	if err := create.Find(); err != nil {
		return nil, err
	}
	// The file is made only by saving, which nobody does.
	path, err := windows.UTF16PtrFromString(filepath.Join(os.TempDir(), c.name+".tlb"))
	if err != nil {
		return nil, err
	}
	name, err := windows.UTF16PtrFromString("I" + filepath.Ext(c.name)[1:])
	if err != nil {
		return nil, err
	}
	const win64, dispatchKind = 3, 4
	var library, info, out *foreign
	if r, _, _ := create.Call(win64, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&library))); check(r) != nil {
		return nil, check(r)
	}
	defer library.release()
	if err := library.call(libraryCreate, uintptr(unsafe.Pointer(name)), dispatchKind, uintptr(unsafe.Pointer(&info))); err != nil {
		return nil, err
	}
	defer info.release()
	id := c.id
	id.Data1++ // the interface is not the class
	if err := info.call(infoSetID, uintptr(unsafe.Pointer(&id))); err != nil {
		return nil, err
	}
	if err := inherit(dll, info); err != nil {
		return nil, err
	}
	n := uintptr(0)
	for _, m := range c.members {
		for _, s := range m.calls {
			if err := add(info, n, m, s); err != nil {
				return nil, err
			}
			n++
		}
	}
	if err := info.call(infoLayOut); err != nil {
		return nil, err
	}
	err = info.call(0, uintptr(unsafe.Pointer(&typeInfoInterface)), uintptr(unsafe.Pointer(&out)))
	return out, err
}

// inherit makes IDispatch the base, as every dispatch interface has it.
func inherit(dll *windows.LazyDLL, info *foreign) error {
	var library, base *foreign
	var reference uint32
	load := dll.NewProc("LoadRegTypeLib")
	if r, _, _ := load.Call(uintptr(unsafe.Pointer(&standardLibrary)), 2, 0, 0, uintptr(unsafe.Pointer(&library))); check(r) != nil {
		return check(r)
	}
	defer library.release()
	if err := library.call(libraryByID, uintptr(unsafe.Pointer(&dispatchInterface)), uintptr(unsafe.Pointer(&base))); err != nil {
		return err
	}
	defer base.release()
	if err := info.call(infoRefer, uintptr(unsafe.Pointer(base)), uintptr(unsafe.Pointer(&reference))); err != nil {
		return err
	}
	return info.call(infoInherit, 0, uintptr(reference))
}

// add describes one way to call a member.
func add(info *foreign, place uintptr, m member, s signature) error {
	const dispatchCall, standard = 4, 4
	f := functionDescription{id: m.id, call: dispatchCall, how: s.how, convention: standard, count: int16(len(s.takes)), result: element(s.gives)}
	arguments := make([]elementDescription, len(s.takes)+1)
	texts := []string{m.name}
	for i := range s.takes {
		arguments[i] = element(s.takes[i])
		if s.how != asPut || i < len(s.takes)-1 { // the value of a property has no name
			texts = append(texts, string(rune('a'+i)))
		}
	}
	f.arguments = &arguments[0]
	if err := info.call(infoAdd, place, uintptr(unsafe.Pointer(&f))); err != nil {
		return err
	}
	names := make([]*uint16, len(texts))
	for i, text := range texts {
		var err error
		if names[i], err = windows.UTF16PtrFromString(text); err != nil {
			return err
		}
	}
	err := info.call(infoNames, place, uintptr(unsafe.Pointer(&names[0])), uintptr(len(names)))
	runtime.KeepAlive(arguments)
	runtime.KeepAlive(names)
	return err
}

func element(letter byte) (e elementDescription) {
	const in, out = 1, 2
	switch e.flags = in; letter {
	case 't':
		e.kind.kind = kindText
	case 'n':
		e.kind.kind = kindInt32
	case 'v':
		e.kind.kind = kindVariant
	case 'o':
		e.kind, e.flags = typeDescription{target: &typeDescription{kind: kindInt32}, kind: kindPointer}, out
	default:
		e.kind.kind, e.flags = kindNothing, 0
	}
	return e
}
