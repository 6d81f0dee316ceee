package com

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// environment is Microsoft.SMS.TSEnvironment: the variables of the run.
func (s *Scripts) environment(values automation) *class {
	return &class{
		name:   "Microsoft.SMS.TSEnvironment",
		id:     windows.GUID{Data1: 0x6E1B3F0A, Data2: 0x52C7, Data3: 0x4D7E, Data4: [8]byte{0x9A, 0x41, 0x3C, 0x0B, 0xD6, 0x2F, 0x88, 0x15}},
		values: values,
		members: []member{
			{name: "Value", id: 0, calls: []signature{{asGet, "t", 't'}, {asPut, "tv", 0}}, call: func(set bool, args []*variant, result *variant) error {
				if len(args) != 1 && !set || len(args) != 2 && set {
					return wrongArguments
				}
				name, r := values.text(args[0])
				if r.Failed() {
					return r
				}
				return s.with(func(run machine.ScriptedRun) error {
					if !set {
						return failed(values.setText(result, run.Variable(name)))
					}
					value, r := values.text(args[1])
					if r.Failed() {
						return r
					}
					return refused(run.SetVariable(name, value))
				})
			}},
			{name: "GetVariables", id: 1, calls: []signature{{asMethod, "", 'v'}}, call: func(set bool, args []*variant, result *variant) error {
				if set || len(args) != 0 {
					return wrongArguments
				}
				return s.with(func(run machine.ScriptedRun) error {
					return failed(values.setTexts(result, run.VariableNames()))
				})
			}},
		},
	}
}

func failed(r Result) error {
	if r.Failed() {
		return r
	}
	return nil
}

// refused gives the error of a variable its number: read-only names are access denied, names that are none a bad argument
// (TS-88, TS-80).
func refused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, variable.ErrReadOnly):
		return refusal{accessDenied, err.Error()}
	case errors.Is(err, variable.ErrName):
		return refusal{badArgument, err.Error()}
	case errors.Is(err, variable.ErrTooLarge):
		return refusal{outOfMemory, err.Error()}
	}
	return refusal{unexpected, err.Error()}
}

// method is a method of TsProgressUI: how it is called, t for a text and n for a number, and what it tells.
type method struct {
	name, takes string
	tell        func(run machine.ScriptedRun, texts []string, numbers []int64)
}

// progressMethods are those of the documentation. Windows they would open are lines here, and nobody can answer them.
var progressMethods = [...]method{
	{"CloseProgressDialog", "", func(machine.ScriptedRun, []string, []int64) {}}, // there is no window to close
	{"ShowTSProgress", "ttttnn", func(run machine.ScriptedRun, t []string, n []int64) { run.Progress(n[0], n[1], t[3]) }},
	{"ShowActionProgress", "ttttnntnn", func(run machine.ScriptedRun, t []string, n []int64) { run.Progress(n[2], n[3], t[4]) }},
	{"ShowMessage", "ttn", func(run machine.ScriptedRun, t []string, _ []int64) { run.Message(titled(t[1], t[0])) }},
	{"ShowErrorDialog", "ttttnnn", func(run machine.ScriptedRun, t []string, n []int64) {
		run.Message(titled(t[2], fmt.Sprintf("%s (0x%08X)", t[3], uint32(n[0]))))
	}},
	{"ShowRebootDialog", "ttttn", func(run machine.ScriptedRun, t []string, _ []int64) { run.Message(titled(t[2], t[3])) }},
	{"ShowSwapMediaDialog", "tn", func(run machine.ScriptedRun, t []string, n []int64) {
		run.Message(titled(t[0], fmt.Sprintf("insert medium %d", n[0])))
	}},
}

func titled(title, text string) string {
	if title = strings.TrimSpace(title); title == "" {
		return text
	}
	return title + ": " + text
}

// progress is Microsoft.SMS.TsProgressUI: what scripts show to the person in front of the machine.
func (s *Scripts) progress(values automation) *class {
	c := &class{
		name:   "Microsoft.SMS.TsProgressUI",
		id:     windows.GUID{Data1: 0x0C4D5A93, Data2: 0x7B1E, Data3: 0x4F62, Data4: [8]byte{0xB3, 0x58, 0x91, 0x6A, 0x7E, 0x40, 0xC2, 0xDD}},
		values: values,
	}
	for i, m := range progressMethods {
		c.members = append(c.members, member{name: m.name, id: int32(i + 1), calls: []signature{{asMethod, m.takes, 0}}, call: func(set bool, args []*variant, _ *variant) error {
			if set {
				return noMember
			}
			texts, numbers, r := take(values, m.takes, args)
			if r.Failed() {
				return r
			}
			return s.with(func(run machine.ScriptedRun) error {
				m.tell(run, texts, numbers)
				return nil
			})
		}})
	}
	c.members = append(c.members, member{name: "ShowMessageEx", id: int32(len(progressMethods) + 1), calls: []signature{{asMethod, "ttno", 0}},
		call: func(set bool, args []*variant, _ *variant) error { return s.ask(values, set, args) }})
	return c
}

// take reads arguments.
func take(values automation, takes string, args []*variant) (texts []string, numbers []int64, r Result) {
	if len(args) != len(takes) {
		return nil, nil, wrongArguments
	}
	for i, kind := range takes {
		if kind == 't' {
			var text string
			if text, r = values.text(args[i]); !r.Failed() {
				texts = append(texts, text)
			}
		} else {
			var n int64
			if n, r = values.number(args[i]); !r.Failed() {
				numbers = append(numbers, n)
			}
		}
		if r.Failed() {
			return nil, nil, r
		}
	}
	return texts, numbers, ok
}

// ask is ShowMessageEx: a message whose only answer is OK is answered so at once; a question has nobody to answer it, and
// an answer that nobody gave must not be made up.
func (s *Scripts) ask(values automation, set bool, args []*variant) error {
	if set || len(args) != 4 {
		return wrongArguments
	}
	texts, numbers, r := take(values, "ttn", args[:3])
	if r.Failed() {
		return r
	}
	return s.with(func(run machine.ScriptedRun) error {
		run.Message(titled(texts[1], texts[0]))
		const kinds, pressedOK = 0xF, 1
		if numbers[0]&kinds != 0 {
			return refusal{accessDenied, "nobody can be asked on this screen; only messages with an OK button can be shown"}
		}
		return failed(setResult(args[3], pressedOK))
	})
}
