package winfact

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// hresult is the result of a COM call; negative ones are errors.
type hresult uint32

func (h hresult) Error() string {
	if text, ok := meanings[h]; ok {
		return fmt.Sprintf("%s (0x%08X)", text, uint32(h))
	}
	return fmt.Sprintf("WMI error 0x%08X", uint32(h))
}

// Results that matter here ([MS-WMI] 2.2.11, winerror.h).
const (
	noMoreData       hresult = 0x00040005
	timedOut         hresult = 0x00040004
	invalidNamespace hresult = 0x8004100E
	invalidClass     hresult = 0x80041010
	notRegistered    hresult = 0x80040154
	serviceDisabled  hresult = 0x80070422
	noInterface      hresult = 0x80004002
)

var meanings = map[hresult]string{
	invalidNamespace: "WMI has no such namespace", invalidClass: "WMI has no such class", 0x80041017: "the query is not valid WQL",
	0x80041018: "WMI does not know this query language", 0x80041003: "WMI refuses access", 0x80041002: "WMI did not find it",
	notRegistered: "WMI is not installed here", serviceDisabled: "the WMI service is disabled", 0x80041033: "WMI is shutting down",
}

func check(r uintptr) error {
	if h := hresult(r); h&0x80000000 != 0 {
		return h
	}
	return nil
}

// object is a COM object; calls go by the place of a method in its interface.
type object struct{ methods *[32]uintptr }

// call calls a method. Pointers are converted in the call's own argument list, which keeps what they point to in place.
//
//go:uintptrescapes
func (o *object) call(method int, args ...uintptr) uintptr {
	r, _, _ := syscall.SyscallN(o.methods[method], append([]uintptr{uintptr(unsafe.Pointer(o))}, args...)...)
	return r
}

func (o *object) release() { o.call(2) }

type libraries struct {
	create, blanket       *windows.LazyProc
	alloc, free, clear    *windows.LazyProc
	lower, upper, element *windows.LazyProc
}

func load() (*libraries, error) {
	ole, automation := windows.NewLazySystemDLL("ole32.dll"), windows.NewLazySystemDLL("oleaut32.dll")
	l := &libraries{
		create: ole.NewProc("CoCreateInstance"), blanket: ole.NewProc("CoSetProxyBlanket"),
		alloc: automation.NewProc("SysAllocString"), free: automation.NewProc("SysFreeString"), clear: automation.NewProc("VariantClear"),
		lower: automation.NewProc("SafeArrayGetLBound"), upper: automation.NewProc("SafeArrayGetUBound"), element: automation.NewProc("SafeArrayGetElement"),
	}
	for _, p := range []*windows.LazyProc{l.create, l.blanket, l.alloc, l.free, l.clear, l.lower, l.upper, l.element} {
		if err := p.Find(); err != nil { // a small WinPE
			return nil, fmt.Errorf("%w: %w", ErrNoWMI, err)
		}
	}
	return l, nil
}

// text makes a BSTR, which the caller frees.
func (l *libraries) text(s string) (uintptr, error) {
	p, err := windows.UTF16PtrFromString(s)
	if err != nil {
		return 0, err
	}
	b, _, _ := l.alloc.Call(uintptr(unsafe.Pointer(p)))
	if b == 0 {
		return 0, windows.ERROR_NOT_ENOUGH_MEMORY
	}
	return b, nil
}
