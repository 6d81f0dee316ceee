package com

import (
	"runtime/debug"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	unknownInterface  = windows.GUID{Data4: [8]byte{0xC0, 0, 0, 0, 0, 0, 0, 0x46}}
	factoryInterface  = windows.GUID{Data1: 1, Data4: [8]byte{0xC0, 0, 0, 0, 0, 0, 0, 0x46}}
	dispatchInterface = windows.GUID{Data1: 0x20400, Data4: [8]byte{0xC0, 0, 0, 0, 0, 0, 0, 0x46}}
)

// member is a property or method of a class, as scripts call it.
type member struct {
	name string
	id   int32 // 0 is the one that is meant without a name
	// calls are described to script languages that ask, such as PowerShell.
	calls []signature
	// call gets the arguments in the order in which they are written, for a property that is set with its value as the
	// last one. It leaves result alone or fills it; result is never nil.
	call func(set bool, args []*variant, result *variant) error
}

// class is one kind of object. All objects of a class are one: what they show is the run, of which there is one.
type class struct {
	name    string // ProgID
	id      windows.GUID
	members []member
	values  automation
	broke   func(stack string) // told of a panic
	info    *foreign           // what the members are; nil: script languages try them

	// What COM sees. It stays where it is: Go does not move what lies on the heap.
	object, factory       *table
	objectCall, factories [7]uintptr
}

// table is a COM object: its first word points to its methods.
type table struct{ methods *[7]uintptr }

// parameters is DISPPARAMS.
type parameters struct {
	args         *variant // last one first
	names        *int32
	count, named uint32
}

// failure is EXCEPINFO of 64-bit Windows.
type failure struct {
	code, _                   uint16
	source, description, help uintptr
	context                   uint32
	_, _                      uintptr
	result                    Result
}

// How a member is called.
const (
	asMethod, asGet, asPut, asPutRef = 1, 2, 4, 8
	valueOfPut                       = -3 // DISPID_PROPERTYPUT
)

// maxArguments bounds a call; the longest member has nine.
const maxArguments = 16

// build makes the method tables. The callbacks last as long as the process, so a class is built once.
func (c *class) build() {
	stays := windows.NewCallback(func(*table) uintptr { return 1 }) // counting references is for what can go away
	c.objectCall = [7]uintptr{
		windows.NewCallback(func(_ *table, id *windows.GUID, out **table) uintptr {
			return query(id, out, c.object, unknownInterface, dispatchInterface)
		}), stays, stays,
		windows.NewCallback(func(_ *table, count *uint32) uintptr {
			if *count = 0; c.info != nil {
				*count = 1
			}
			return uintptr(ok)
		}),
		windows.NewCallback(func(_ *table, index, _ uintptr, out **foreign) uintptr {
			if *out = nil; uint32(index) != 0 || c.info == nil {
				return uintptr(badIndex)
			}
			_ = c.info.call(1) // the caller's own reference
			*out = c.info
			return uintptr(ok)
		}),
		windows.NewCallback(c.names), windows.NewCallback(c.invoke),
	}
	c.factories = [7]uintptr{
		windows.NewCallback(func(_ *table, id *windows.GUID, out **table) uintptr {
			return query(id, out, c.factory, unknownInterface, factoryInterface)
		}), stays, stays,
		windows.NewCallback(func(_ *table, outer uintptr, id *windows.GUID, out **table) uintptr {
			if outer != 0 {
				return uintptr(noAggregation)
			}
			return query(id, out, c.object, unknownInterface, dispatchInterface)
		}),
		windows.NewCallback(func(*table, uintptr) uintptr { return uintptr(ok) }), // LockServer: the server is there for the run
	}
	c.object, c.factory = &table{&c.objectCall}, &table{&c.factories}
}

func query(id *windows.GUID, out **table, own *table, interfaces ...windows.GUID) uintptr {
	if out == nil {
		return uintptr(badPointer)
	}
	*out = nil
	for _, i := range interfaces {
		if id != nil && *id == i {
			*out = own
			return uintptr(ok)
		}
	}
	return uintptr(noInterface)
}

// names is GetIDsOfNames: the first name is a member, others would be of arguments, which have none here.
func (c *class) names(_ *table, _ uintptr, names **uint16, count uintptr, _ uintptr, ids *int32) uintptr {
	if names == nil || ids == nil || uint32(count) == 0 || uint32(count) > maxArguments {
		return uintptr(badArgument)
	}
	list, out := unsafe.Slice(names, uint32(count)), unsafe.Slice(ids, uint32(count))
	for i := range out {
		out[i] = -1
	}
	name := windows.UTF16PtrToString(list[0])
	for _, m := range c.members {
		if strings.EqualFold(m.name, name) && len(list) == 1 {
			out[0] = m.id
			return uintptr(ok)
		}
	}
	return uintptr(unknownName)
}

// invoke is Invoke.
func (c *class) invoke(_ *table, id uintptr, _, _, how uintptr, p *parameters, result *variant, failed *failure, _ *uint32) (r uintptr) {
	defer func() {
		if recovered := recover(); recovered != nil { // a panic may not reach the caller, who is not Go
			c.broke(string(debug.Stack()))
			r = uintptr(unexpected)
		}
	}()
	args, set, bad := arguments(p, uint16(how))
	if bad.Failed() {
		return uintptr(bad)
	}
	for _, m := range c.members {
		if m.id != int32(id) {
			continue
		}
		var value variant
		err := m.call(set, args, &value)
		if err == nil {
			if result != nil {
				*result = value
			} else {
				_, _, _ = c.values.clear.Call(uintptr(unsafe.Pointer(&value)))
			}
			return uintptr(ok)
		}
		return uintptr(c.fail(err, failed))
	}
	return uintptr(noMember)
}

// fail tells a script why: Err.Number and Err.Description in VBScript, an exception in PowerShell.
func (c *class) fail(err error, failed *failure) Result {
	var refused refusal
	if plain, is := err.(Result); is { //nolint:errorlint // made here, never wrapped
		return plain
	} else if r, is := err.(refusal); is { //nolint:errorlint // made here, never wrapped
		refused = r
	}
	if failed == nil {
		return refused.result
	}
	*failed = failure{result: refused.result}
	failed.source, _ = c.values.bstr(c.name)
	failed.description, _ = c.values.bstr(refused.text)
	return exception
}

// refusal is an error with a text for the script's author.
type refusal struct {
	result Result
	text   string
}

func (r refusal) Error() string { return r.text }

// arguments are those of a call in written order.
func arguments(p *parameters, how uint16) (args []*variant, set bool, r Result) {
	set = how&(asPut|asPutRef) != 0
	if p == nil {
		return nil, set, ok
	}
	if p.count > maxArguments || p.named > p.count {
		return nil, set, wrongArguments
	}
	switch {
	case p.named == 0 && !set:
	case p.named == 1 && set && *p.names == valueOfPut:
	default:
		return nil, set, wrongArguments // arguments have no names here
	}
	list := unsafe.Slice(p.args, p.count)
	for i := range list {
		args = append(args, &list[len(list)-1-i])
	}
	return args, set, ok
}
