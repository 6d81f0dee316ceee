package winfact

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/bootyard/bootyard/tsengine/com"
	"github.com/bootyard/bootyard/tsengine/fact"
)

// ErrNoWMI says that this Windows has no WMI: the component is missing (WinPE) or switched off.
var ErrNoWMI = errors.New("WMI is not there")

var (
	locatorClass     = windows.GUID{Data1: 0x4590F811, Data2: 0x1D3A, Data3: 0x11D0, Data4: [8]byte{0x89, 0x1F, 0x00, 0xAA, 0x00, 0x4B, 0x2E, 0x24}}
	locatorInterface = windows.GUID{Data1: 0xDC12A687, Data2: 0x737F, Data3: 0x11CF, Data4: [8]byte{0x88, 0x4D, 0x00, 0xAA, 0x00, 0x4B, 0x2E, 0x24}}
)

// Places of methods in IWbemLocator, IWbemServices, IEnumWbemClassObject and IWbemClassObject.
const (
	locatorConnect   = 3
	servicesQuery    = 20
	enumNext         = 4
	classBegin       = 8
	classNext        = 9
	classEnd         = 10
	inProcess        = 1
	connectMaxWait   = 0x80
	forwardAtOnce    = 0x20 | 0x10
	withoutSystem    = 0x40
	authNT, authCall = 10, 3
	impersonate      = 3
)

// maxProperties bounds one instance; the largest classes have some hundred.
const maxProperties = 1000

// Query asks WMI and returns at most limit instances with their properties. It takes no longer than ctx allows; a WMI that
// hangs keeps its thread for up to two minutes after that.
func Query(ctx context.Context, namespace, query string, limit int) ([]fact.Instance, error) {
	type answer struct {
		list []fact.Instance
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		list, err := ask(ctx, namespace, query, limit)
		done <- answer{list, err}
	}()
	select {
	case a := <-done:
		return a.list, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("ask WMI: %w", context.Cause(ctx))
	}
}

func ask(ctx context.Context, namespace, query string, limit int) ([]fact.Instance, error) {
	l, err := load()
	if err != nil {
		return nil, err
	}
	leave, err := com.Enter() // COM is initialised for a thread
	if err != nil {
		return nil, err
	}
	defer leave()
	services, err := l.connect(fact.Namespace(namespace))
	if err != nil {
		return nil, err
	}
	defer services.release()
	language, err := l.text("WQL")
	if err != nil {
		return nil, err
	}
	defer l.free.Call(language)
	text, err := l.text(query)
	if err != nil {
		return nil, err
	}
	defer l.free.Call(text)
	var enum *object
	if err := check(services.call(servicesQuery, language, text, forwardAtOnce, 0, uintptr(unsafe.Pointer(&enum)))); err != nil {
		return nil, missing(err)
	}
	defer enum.release()
	return l.collect(ctx, enum, limit)
}

// connect opens a namespace of this machine.
func (l *libraries) connect(namespace string) (*object, error) {
	var locator, services *object
	if r, _, _ := l.create.Call(uintptr(unsafe.Pointer(&locatorClass)), 0, inProcess, uintptr(unsafe.Pointer(&locatorInterface)), uintptr(unsafe.Pointer(&locator))); check(r) != nil {
		return nil, missing(check(r))
	}
	defer locator.release()
	path, err := l.text(namespace)
	if err != nil {
		return nil, err
	}
	defer l.free.Call(path)
	if err := check(locator.call(locatorConnect, path, 0, 0, 0, connectMaxWait, 0, 0, uintptr(unsafe.Pointer(&services)))); err != nil {
		return nil, missing(err)
	}
	if r, _, _ := l.blanket.Call(uintptr(unsafe.Pointer(services)), authNT, 0, 0, authCall, impersonate, 0, 0); check(r) != nil && hresult(r) != noInterface {
		services.release()
		return nil, fmt.Errorf("ask WMI: %w", check(r))
	}
	return services, nil
}

func missing(err error) error {
	if errors.Is(err, notRegistered) || errors.Is(err, serviceDisabled) {
		return fmt.Errorf("%w: %w", ErrNoWMI, err)
	}
	return fmt.Errorf("ask WMI: %w", err)
}

// patience is one wait for an instance, so that the end of ctx is seen.
const patience = time.Second

func (l *libraries) collect(ctx context.Context, enum *object, limit int) ([]fact.Instance, error) {
	list := []fact.Instance{}
	for len(list) < limit {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var one *object
		var count uint32
		r := enum.call(enumNext, uintptr(patience.Milliseconds()), 1, uintptr(unsafe.Pointer(&one)), uintptr(unsafe.Pointer(&count)))
		switch {
		case check(r) != nil:
			return nil, missing(check(r))
		case count == 0 && hresult(r) == timedOut:
			continue
		case count == 0 || one == nil:
			return list, nil
		}
		instance, err := l.properties(one)
		one.release()
		if err != nil {
			return nil, err
		}
		list = append(list, instance)
	}
	return list, nil
}

func (l *libraries) properties(o *object) (fact.Instance, error) {
	var instance fact.Instance
	if err := check(o.call(classBegin, withoutSystem)); err != nil {
		return nil, fmt.Errorf("read an instance: %w", err)
	}
	defer o.call(classEnd)
	for range maxProperties {
		var name *uint16
		var v variant
		var cim int32
		r := o.call(classNext, 0, uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&v)), uintptr(unsafe.Pointer(&cim)), 0)
		if err := check(r); err != nil {
			return nil, fmt.Errorf("read an instance: %w", err)
		}
		if hresult(r) == noMoreData || name == nil {
			break
		}
		if text := windows.UTF16PtrToString(name); text[:min(2, len(text))] != "__" {
			instance.Set(text, l.value(&v, cim))
		}
		_, _, _ = l.free.Call(uintptr(unsafe.Pointer(name)))
		_, _, _ = l.clear.Call(uintptr(unsafe.Pointer(&v)))
	}
	return instance, nil
}
