package com

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

const classes = `SOFTWARE\Classes\`

// views are the two halves of the registry: 32-bit script hosts look into one of their own.
var views = [...]uint32{registry.WOW64_64KEY, registry.WOW64_32KEY}

// register writes what leads from a class's name to this process, until remove is called. The keys are volatile, so a
// machine that goes down in between has none of them when it starts again.
func register(c *class) (remove func(), err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	id := c.id.String()
	remove = func() {
		for _, view := range views {
			for _, key := range []string{c.name + `\CLSID`, c.name, `CLSID\` + id + `\LocalServer32`, `CLSID\` + id + `\ProgID`, `CLSID\` + id} {
				_ = deleteKey(classes+key, view) // what is not there need not go
			}
		}
	}
	if other := registered(c.name); other != "" && other != id {
		return nil, fmt.Errorf("%s belongs to another program of this machine, class %s; scripts use the file that BOOTYARD_TSENV names", c.name, other)
	}
	for _, view := range views {
		for _, e := range [][2]string{
			{c.name, c.name}, {c.name + `\CLSID`, id}, {`CLSID\` + id, c.name}, {`CLSID\` + id + `\ProgID`, c.name},
			// Never started by this line: the process that writes it is the server. An agent that is started by it ends.
			{`CLSID\` + id + `\LocalServer32`, `"` + program + `" version`},
		} {
			if err := writeKey(classes+e[0], e[1], view); err != nil {
				remove()
				return nil, fmt.Errorf("register %s: %w", c.name, err)
			}
		}
	}
	return remove, nil
}

// registered is the class that a name has now.
func registered(name string) string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, classes+name+`\CLSID`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return ""
	}
	defer k.Close()
	id, _, err := k.GetStringValue("")
	if err != nil {
		return ""
	}
	return id
}

// writeKey makes a volatile key with a default value. Package registry makes lasting keys only.
func writeKey(path, value string, view uint32) error {
	const volatile = 1
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	var k windows.Handle
	create := windows.NewLazySystemDLL("advapi32.dll").NewProc("RegCreateKeyExW")
	if r, _, _ := create.Call(uintptr(registry.LOCAL_MACHINE), uintptr(unsafe.Pointer(name)), 0, 0, volatile,
		uintptr(registry.SET_VALUE|view), 0, uintptr(unsafe.Pointer(&k)), 0); r != 0 {
		return windows.Errno(r)
	}
	key := registry.Key(k)
	return errors.Join(key.SetStringValue("", value), key.Close())
}

func deleteKey(path string, view uint32) error {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	remove := windows.NewLazySystemDLL("advapi32.dll").NewProc("RegDeleteKeyExW")
	if r, _, _ := remove.Call(uintptr(registry.LOCAL_MACHINE), uintptr(unsafe.Pointer(name)), uintptr(view), 0); r != 0 {
		return windows.Errno(r)
	}
	return nil
}
