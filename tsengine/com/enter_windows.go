package com

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Result is an HRESULT. Those with the highest bit are errors.
type Result uint32

// Failed says whether the result is an error.
func (r Result) Failed() bool { return r&0x80000000 != 0 }

func (r Result) Error() string { return fmt.Sprintf("COM error 0x%08X", uint32(r)) }

// Results that objects here return or callers tell apart (winerror.h).
const (
	ok             Result = 0
	no             Result = 1
	ChangedMode    Result = 0x80010106 // the thread has another apartment
	unexpected     Result = 0x8000FFFF
	noInterface    Result = 0x80004002
	badPointer     Result = 0x80004003
	noAggregation  Result = 0x80040110
	outOfMemory    Result = 0x8007000E
	accessDenied   Result = 0x80070005
	badArgument    Result = 0x80070057
	noMember       Result = 0x80020003
	typeMismatch   Result = 0x80020005
	unknownName    Result = 0x80020006
	exception      Result = 0x80020009
	badIndex       Result = 0x8002000B
	wrongArguments Result = 0x8002000E
	notOptional    Result = 0x8002000F
)

func check(r uintptr) error {
	if h := Result(r); h.Failed() {
		return h
	}
	return nil
}

// Enter takes the calling goroutine and its thread into the multithreaded apartment until leave is called there. A
// thread that has another apartment already stays in it. The first call of a process decides who may call its objects:
// the account of the process, administrators and the system, because what the objects of a run show holds secrets.
func Enter() (leave func(), err error) {
	ole := windows.NewLazySystemDLL("ole32.dll")
	initialize, security, uninitialize := ole.NewProc("CoInitializeEx"), ole.NewProc("CoInitializeSecurity"), ole.NewProc("CoUninitialize")
	for _, p := range []*windows.LazyProc{initialize, security, uninitialize} {
		if err := p.Find(); err != nil { // a small WinPE
			return nil, err
		}
	}
	callers, err := callers()
	if err != nil {
		return nil, fmt.Errorf("say who may call objects: %w", err)
	}
	runtime.LockOSThread()
	const multithreaded = 0
	leave = func() {
		_, _, _ = uninitialize.Call()
		runtime.UnlockOSThread()
	}
	if r, _, _ := initialize.Call(0, multithreaded); Result(r) == ChangedMode {
		leave = runtime.UnlockOSThread
	} else if check(r) != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("start COM: %w", check(r))
	}
	const (
		packets     = 4 // RPC_C_AUTHN_LEVEL_PKT
		impersonate = 3 // RPC_C_IMP_LEVEL_IMPERSONATE, which WMI wants
	)
	// Once for a process; later calls are refused and harmless.
	_, _, _ = security.Call(uintptr(unsafe.Pointer(callers)), ^uintptr(0), 0, 0, packets, impersonate, 0, 0, 0)
	return leave, nil
}

// callers is the security descriptor of a process's objects. COM wants it absolute and with an owner.
func callers() (*windows.SECURITY_DESCRIPTOR, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, err
	}
	sid := user.User.Sid.String()
	const local = "0x3" // COM_RIGHTS_EXECUTE | COM_RIGHTS_EXECUTE_LOCAL
	relative, err := windows.SecurityDescriptorFromString("O:" + sid + "G:" + sid +
		"D:(A;;" + local + ";;;SY)(A;;" + local + ";;;BA)(A;;" + local + ";;;" + sid + ")")
	if err != nil {
		return nil, err
	}
	return relative.ToAbsolute()
}
