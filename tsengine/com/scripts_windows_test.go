package com_test

import (
	"errors"
	"slices"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/bootyard/bootyard/tsengine/com"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/variable"
)

const (
	environmentName = "Microsoft.SMS.TSEnvironment"
	progressName    = "Microsoft.SMS.TsProgressUI"
)

// run is a machine.ScriptedRun.
type run struct {
	mu        sync.Mutex
	variables *variable.Environment
	said      []string
}

func newRun() *run { return &run{variables: variable.New()} }

func (r *run) Variable(name string) string {
	if name == "panic" {
		panic("told to")
	}
	return r.variables.Value(name)
}

func (r *run) SetVariable(name, value string) error {
	return r.variables.Assign(variable.Assignment{Name: name, Value: value})
}

func (r *run) VariableNames() (names []string) {
	for _, a := range r.variables.List() {
		names = append(names, a.Name)
	}
	return names
}

func (r *run) Progress(_, _ int64, text string) { r.Message(text) }

func (r *run) Message(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, text)
}

func (r *run) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

// object is an IDispatch of somebody else's process, or of this one.
type object struct{ methods *[7]uintptr }

func (o *object) call(method int, args ...uintptr) com.Result {
	r, _, _ := syscall.SyscallN(o.methods[method], append([]uintptr{uintptr(unsafe.Pointer(o))}, args...)...)
	return com.Result(r)
}

var dispatch = windows.GUID{Data1: 0x20400, Data4: [8]byte{0xC0, 0, 0, 0, 0, 0, 0, 0x46}}

// create is CreateObject of a script.
func create(t *testing.T, name string) (*object, error) {
	t.Helper()
	ole := windows.NewLazySystemDLL("ole32.dll")
	var id windows.GUID
	text, err := windows.UTF16PtrFromString(name)
	require.NoError(t, err)
	if r, _, _ := ole.NewProc("CLSIDFromProgID").Call(uintptr(unsafe.Pointer(text)), uintptr(unsafe.Pointer(&id))); r != 0 {
		return nil, com.Result(r)
	}
	const localServer = 4
	var o *object
	if r, _, _ := ole.NewProc("CoCreateInstance").Call(uintptr(unsafe.Pointer(&id)), 0, localServer, uintptr(unsafe.Pointer(&dispatch)), uintptr(unsafe.Pointer(&o))); r != 0 {
		return nil, com.Result(r)
	}
	return o, nil
}

func (o *object) id(t *testing.T, name string) (int32, com.Result) {
	t.Helper()
	text, err := windows.UTF16PtrFromString(name)
	require.NoError(t, err)
	var none windows.GUID
	var id int32
	r := o.call(5, uintptr(unsafe.Pointer(&none)), uintptr(unsafe.Pointer(&text)), 1, 0, uintptr(unsafe.Pointer(&id)))
	return id, r
}

type variant struct {
	kind uint16
	_    [3]uint16
	data uintptr
	_    uintptr
}

type parameters struct {
	args         *variant
	names        *int32
	count, named uint32
}

type failure struct {
	_, _                      uint16
	source, description, help uintptr
	_                         uint32
	_, _                      uintptr
	result                    com.Result
}

func text(t *testing.T, s string) variant {
	t.Helper()
	p, err := windows.UTF16PtrFromString(s)
	require.NoError(t, err)
	b, _, _ := windows.NewLazySystemDLL("oleaut32.dll").NewProc("SysAllocString").Call(uintptr(unsafe.Pointer(p)))
	return variant{kind: 8, data: b}
}

func (v *variant) String() string {
	if v.kind != 8 || v.data == 0 {
		return ""
	}
	return windows.UTF16PtrToString(*(**uint16)(unsafe.Pointer(&v.data)))
}

// invoke calls a member with arguments in written order.
func (o *object) invoke(id int32, how uintptr, args ...variant) (variant, failure, com.Result) {
	slices.Reverse(args)
	p := parameters{count: uint32(len(args))}
	if len(args) > 0 {
		p.args = &args[0]
	}
	value := int32(-3)
	if how == put {
		p.names, p.named = &value, 1
	}
	var none windows.GUID
	var result variant
	var failed failure
	r := o.call(6, uintptr(id), uintptr(unsafe.Pointer(&none)), 0, how, uintptr(unsafe.Pointer(&p)), uintptr(unsafe.Pointer(&result)), uintptr(unsafe.Pointer(&failed)), 0)
	return result, failed, r
}

const method, get, put = 1, 2, 4

func enter(t *testing.T) {
	t.Helper()
	leave, err := com.Enter()
	require.NoError(t, err)
	t.Cleanup(leave)
}

func TestTS95Calls(t *testing.T) {
	enter(t)
	r := newRun()
	require.NoError(t, r.variables.SetSecret("OSDJoinPassword", "a-Secret-1"))
	hide, err := new(com.Scripts).Show(r)
	require.NoError(t, err)
	defer hide()
	o, err := create(t, environmentName)
	require.NoError(t, err)

	id, result := o.id(t, "vAlUe")
	require.Zero(t, result)
	require.Zero(t, id, "it is the default")
	_, result = o.id(t, "Values")
	require.EqualValues(t, 0x80020006, result)

	v, _, result := o.invoke(0, get, text(t, "osdjoinpassword"))
	require.Zero(t, result)
	require.Equal(t, "a-Secret-1", v.String(), "secrets are readable, as in Configuration Manager")
	v, _, result = o.invoke(0, get|method, text(t, "NoSuch"))
	require.Zero(t, result)
	require.EqualValues(t, 8, v.kind)
	require.Empty(t, v.String())
	_, _, result = o.invoke(0, put, text(t, "Über"), text(t, "x"))
	require.EqualValues(t, 0x80020009, result)
	_, _, result = o.invoke(0, put, text(t, "Name"), text(t, "ünïcode 🙂"))
	require.Zero(t, result)
	require.Equal(t, "ünïcode 🙂", r.variables.Value("Name"))
	_, _, result = o.invoke(0, put, text(t, "Name"), variant{kind: 11, data: 0xFFFF})
	require.Zero(t, result)
	require.Equal(t, "True", r.variables.Value("Name"))
	_, _, result = o.invoke(0, put, text(t, "Name"), variant{})
	require.Zero(t, result)
	require.Empty(t, r.variables.Value("Name"), "empty deletes (TS-86)")

	_, failed, result := o.invoke(0, put, text(t, "_SMSTSMake"), text(t, "x"))
	require.EqualValues(t, 0x80020009, result)
	require.EqualValues(t, 0x80070005, failed.result)
	description := variant{kind: 8, data: failed.description}
	require.Contains(t, description.String(), "TS-88")

	for name, args := range map[string][]variant{"none": nil, "two": {text(t, "a"), text(t, "b")}} {
		_, _, result = o.invoke(0, get, args...)
		require.EqualValues(t, 0x8002000E, result, name)
	}
	_, _, result = o.invoke(7, method)
	require.EqualValues(t, 0x80020003, result)
	_, _, result = o.invoke(0, get, text(t, "panic"))
	require.EqualValues(t, 0x8000FFFF, result, "a panic does not end the agent")
	require.Len(t, r.heard(), 1)
	require.Contains(t, r.heard()[0], "internal error in "+environmentName)

	u, err := create(t, progressName)
	require.NoError(t, err)
	id, result = u.id(t, "ShowMessage")
	require.Zero(t, result)
	_, _, result = u.invoke(id, method, text(t, "hello"), text(t, ""), variant{kind: 8})
	require.EqualValues(t, 0x80020005, result, "a type is a number")
	_, _, result = u.invoke(id, method, text(t, "hello"), text(t, ""), variant{kind: 3})
	require.Zero(t, result)
	require.Equal(t, "hello", r.heard()[1])
}

// What PowerShell asks before it calls anything: a dispatch interface with the members and how each may be called.
func TestTS95TypeInformation(t *testing.T) {
	enter(t)
	hide, err := new(com.Scripts).Show(newRun())
	require.NoError(t, err)
	defer hide()
	type description struct {
		id        int32
		_, _      uintptr
		_, how, _ int32
		count     int16
	}
	for name, want := range map[string][]description{
		environmentName: {{id: 0, how: get, count: 1}, {id: 0, how: put, count: 2}, {id: 1, how: method}},
		progressName: {{id: 1, how: method}, {id: 2, how: method, count: 6}, {id: 3, how: method, count: 9}, {id: 4, how: method, count: 3}, {id: 5, how: method, count: 7},
			{id: 6, how: method, count: 5}, {id: 7, how: method, count: 2}, {id: 8, how: method, count: 4}},
	} {
		o, err := create(t, name)
		require.NoError(t, err)
		var count uint32
		require.Zero(t, o.call(3, uintptr(unsafe.Pointer(&count))))
		require.EqualValues(t, 1, count, name)
		var info *struct{ methods *[22]uintptr }
		require.Zero(t, o.call(4, 0, 0, uintptr(unsafe.Pointer(&info))))
		call := func(method int, args ...uintptr) com.Result {
			r, _, _ := syscall.SyscallN(info.methods[method], append([]uintptr{uintptr(unsafe.Pointer(info))}, args...)...)
			return com.Result(r)
		}
		var attributes *struct {
			_                windows.GUID
			_, _             uint32
			_, _             int32
			_                uintptr
			size             uint32
			kind             int32
			functions, _, is uint16
		}
		require.Zero(t, call(3, uintptr(unsafe.Pointer(&attributes))))
		require.EqualValues(t, 4, attributes.kind, "a dispatch interface")
		base := int(attributes.functions) - len(want) // those of IDispatch, which some count and others do not
		require.Contains(t, []int{0, 7}, base, name)
		require.EqualValues(t, 1, attributes.is, "with IDispatch as its base")
		for i, w := range want {
			var have *description
			require.Zero(t, call(5, uintptr(base+i), uintptr(unsafe.Pointer(&have))), "%s %d", name, i)
			require.Equal(t, []any{w.id, w.how, w.count}, []any{have.id, have.how, have.count}, "%s %d", name, i)
		}
	}
}

// Objects exist while a run is shown, of one run at a time, and nothing stays in the registry.
func TestTS95Lifetime(t *testing.T) {
	enter(t)
	scripts := new(com.Scripts)
	_, err := create(t, environmentName)
	require.Error(t, err, "no run is shown")
	for range 3 { // callbacks are made once
		hide, err := scripts.Show(newRun())
		require.NoError(t, err)
		_, err = scripts.Show(newRun())
		require.ErrorIs(t, err, com.ErrShown)
		o, err := create(t, environmentName)
		require.NoError(t, err)
		hide()
		_, _, result := o.invoke(0, get, text(t, "x"))
		require.True(t, result.Failed(), "the run is hidden")
		_, err = create(t, environmentName)
		require.Error(t, err)
		_, err = registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Classes\`+environmentName, registry.READ)
		require.ErrorIs(t, err, registry.ErrNotExist)
	}
}

// The objects of an installed Configuration Manager client stay what they are.
func TestTS95AnotherClient(t *testing.T) {
	const path, other = `SOFTWARE\Classes\` + environmentName + `\CLSID`, "{12345678-1234-1234-1234-123456789012}"
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, path, registry.ALL_ACCESS)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, errors.Join(k.Close(), registry.DeleteKey(registry.LOCAL_MACHINE, path), registry.DeleteKey(registry.LOCAL_MACHINE, `SOFTWARE\Classes\`+environmentName)))
	}()
	require.NoError(t, k.SetStringValue("", other))
	_, err = new(com.Scripts).Show(newRun())
	require.ErrorContains(t, err, "belongs to another program")
	have, _, err := k.GetStringValue("")
	require.NoError(t, err)
	require.Equal(t, other, have)
}

var _ machine.ScriptedRun = (*run)(nil)
