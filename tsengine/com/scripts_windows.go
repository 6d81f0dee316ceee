package com

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// Scripts implements machine.Scripts. Make one for a process; the zero value is ready for use. It is safe for concurrent use.
type Scripts struct {
	build   sync.Once
	classes []*class
	broken  error

	mu  sync.RWMutex
	run machine.ScriptedRun // nil: none is shown
}

// ErrShown says that another run is shown.
var ErrShown = errors.New("another run is shown to scripts")

// prepare makes the classes when they are needed first: most starts of the agent run no sequence.
func (s *Scripts) prepare() error {
	s.build.Do(func() {
		values, err := loadAutomation()
		if err != nil {
			s.broken = err
			return
		}
		s.classes = []*class{s.environment(values), s.progress(values)}
		for _, c := range s.classes {
			c.broke = func(stack string) {
				_ = s.with(func(run machine.ScriptedRun) error {
					run.Message("internal error in " + c.name + "; please report it with smsts.log\n" + stack)
					return nil
				})
			}
			c.build()
		}
	})
	return s.broken
}

// Show implements machine.Scripts.
func (s *Scripts) Show(run machine.ScriptedRun) (hide func(), err error) {
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("show the run to scripts: %w", err)
	}
	s.mu.Lock()
	if s.run != nil {
		s.mu.Unlock()
		return nil, ErrShown
	}
	s.run = run
	s.mu.Unlock()
	ready, end, ended := make(chan error, 1), make(chan struct{}), make(chan struct{})
	go func() { // ends with end
		defer close(ended)
		ready <- s.serve(ready, end)
	}()
	err = <-ready
	hide = func() {
		s.mu.Lock() // waits for calls that are under way
		s.run = nil
		s.mu.Unlock()
		close(end)
		<-ended
	}
	if err != nil {
		hide()
		return nil, fmt.Errorf("show the run to scripts: %w", err)
	}
	return hide, nil
}

// serve keeps the classes registered until end. It says on ready that they are, or returns why not.
func (s *Scripts) serve(ready chan<- error, end <-chan struct{}) error {
	leave, err := Enter()
	if err != nil {
		return err
	}
	defer leave()
	for _, c := range s.classes {
		if c.info == nil {
			// Without it, which a small WinPE cannot give, VBScript and JScript work and PowerShell must use InvokeMember.
			c.info, _ = c.describe()
		}
		remove, err := register(c)
		if err != nil {
			return err
		}
		defer remove()
		revoke, err := c.offer()
		if err != nil {
			return fmt.Errorf("offer %s: %w", c.name, err)
		}
		defer revoke()
	}
	ready <- nil
	<-end
	return nil
}

// offer makes objects of the class available to other processes until revoke is called on the same thread.
func (c *class) offer() (revoke func(), err error) {
	ole := windows.NewLazySystemDLL("ole32.dll")
	offer, take, disconnect := ole.NewProc("CoRegisterClassObject"), ole.NewProc("CoRevokeClassObject"), ole.NewProc("CoDisconnectObject")
	for _, p := range []*windows.LazyProc{offer, take, disconnect} {
		if err := p.Find(); err != nil {
			return nil, err
		}
	}
	const localServer, multipleUse = 4, 1
	var cookie uint32
	if r, _, _ := offer.Call(uintptr(unsafe.Pointer(&c.id)), uintptr(unsafe.Pointer(c.factory)), localServer, multipleUse, uintptr(unsafe.Pointer(&cookie))); check(r) != nil {
		return nil, check(r)
	}
	return func() {
		_, _, _ = take.Call(uintptr(cookie))
		// Scripts that outlive the run lose their objects.
		_, _, _ = disconnect.Call(uintptr(unsafe.Pointer(c.object)), 0)
		_, _, _ = disconnect.Call(uintptr(unsafe.Pointer(c.factory)), 0)
	}, nil
}

// with calls f with the run that is shown, which stays shown meanwhile.
func (s *Scripts) with(f func(machine.ScriptedRun) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.run == nil {
		return refusal{unexpected, "no task sequence is running"}
	}
	return f(s.run)
}
