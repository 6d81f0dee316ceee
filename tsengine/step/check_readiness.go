package step

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// CheckReadiness is Check Readiness: it runs every check that is switched on, logs each, sets the _TS_CR variables and
// fails with 4316 in the end when one of them failed. It changes nothing outside the engine.
type CheckReadiness struct{}

// Contract implements Step.
func (CheckReadiness) Contract() Contract {
	return Contract{Type: "PrestartCheckAction", Component: "OSDPrestartCheck"}
}

// readinessCheck is one check: the switch, the wished value if it has one, the output, and the comparison. passed gets
// the trimmed wish, never empty for a check that has one; found is for the log.
type readinessCheck struct {
	name, toggle, wish, output string
	passed                     func(f *machine.ReadinessFacts, wish string) (found string, ok bool, err error)
}

var errUnknown = errors.New("this machine does not tell")

// readinessChecks are all checks in the order of the editor.
func readinessChecks() []readinessCheck {
	return []readinessCheck{
		{"minimum memory (MB)", "OSDCheckMemory", "OSDMemory", "_TS_CRMEMORY", atLeast(func(f *machine.ReadinessFacts) *int64 { return f.MemoryMB })},
		{"minimum processor speed (MHz)", "OSDCheckProcessorSpeed", "OSDProcessorSpeed", "_TS_CRSPEED", atLeast(func(f *machine.ReadinessFacts) *int64 { return f.ProcessorMHz })},
		{"minimum free disk space (MB)", "OSDCheckFreeDiskSpace", "OSDFreeDiskSpace", "_TS_CRDISK", atLeast(func(f *machine.ReadinessFacts) *int64 { return f.FreeDiskMB })},
		{"operating system type", "OSDCheckOSType", "OSDOSType", "_TS_CROSTYPE", sameType},
		{"architecture", "OSDCheckOSArchitecture", "OSDOSArchitecture", "_TS_CRARCH", sameArchitecture},
		{"minimum operating system version", "OSDCheckMinOSVersion", "OSDMinOSVersion", "_TS_CRMINOSVER", version(1, func(f *machine.ReadinessFacts) string { return f.OSVersion })},
		{"maximum operating system version", "OSDCheckMaxOsVersion", "OSDMaxOSVersion", "_TS_CRMAXOSVER", version(-1, func(f *machine.ReadinessFacts) string { return f.OSVersion })},
		{"minimum client version", "OSDCheckCMClientMinVersion", "OSDCMClientMinVersion", "_TS_CRCLIENTMINVER", version(1, func(f *machine.ReadinessFacts) string { return f.ClientVersion })},
		{"operating system language", "OSDCheckOSLanguageID", "OSDOSLanguageID", "_TS_CROSLANGUAGE", sameLanguage},
		{"mains power", "OSDCheckPowerState", "", "_TS_CRACPOWER", is(func(f *machine.ReadinessFacts) *bool { return f.OnMains })},
		{"network connected", "OSDCheckNetworkConnected", "", "_TS_CRNETWORK", is(func(f *machine.ReadinessFacts) *bool { return f.Connected })},
		{"network not wireless", "OSDCheckNetworkWired", "", "_TS_CRWIRED", is(func(f *machine.ReadinessFacts) *bool { return f.Wired })},
		{"started by UEFI", "OSDCheckDeviceUEFI", "", "_TS_CRUEFI", is(func(f *machine.ReadinessFacts) *bool { return f.UEFI })},
		{"TPM 2.0 enabled", "OSDCheckDeviceTpmEnabled", "", "_TS_CRTPMENABLED", is(func(f *machine.ReadinessFacts) *bool { return f.TPMEnabled })},
		{"TPM 2.0 activated", "OSDCheckDeviceTpmActivated", "", "_TS_CRTPMACTIVATED", is(func(f *machine.ReadinessFacts) *bool { return f.TPMActivated })},
	}
}

// Run implements Step.
func (CheckReadiness) Run(ctx context.Context, c *Context) Outcome {
	var facts *machine.ReadinessFacts
	var failed []string
	for _, check := range readinessChecks() {
		on, wish, err := wanted(c, check)
		if err != nil {
			return Failure(CodeInvalid, err)
		}
		if !on {
			if err := c.Variables.Set(check.output, ""); err != nil {
				return Failure(CodeFailed, err)
			}
			continue
		}
		if facts == nil {
			if c.Machine.Readiness == nil {
				return Failure(CodeEnvironment, errors.New("nothing is known about this machine that could be checked"))
			}
			f, err := c.Machine.Readiness.Readiness(ctx)
			if err != nil {
				return Failure(CodeFailed, fmt.Errorf("look at the machine: %w", err))
			}
			facts = &f
		}
		ok, err := runCheck(c, check, facts, wish)
		if err != nil {
			return Failure(CodeInvalid, err)
		}
		if !ok {
			failed = append(failed, check.name)
		}
	}
	switch {
	case facts == nil:
		c.Log(smstslog.Info, "No check is switched on")
	case len(failed) > 0:
		return Failure(CodeNotReady, fmt.Errorf("this machine is not ready: %s; see the log for what was found and what is wanted", strings.Join(failed, ", ")))
	default:
		c.Log(smstslog.Info, "All checks passed")
	}
	return Outcome{}
}

// wanted says whether a check is on and what it wishes. The editor leaves masks such as "  . ." for values that were never
// filled in; a check that is on without its value has nothing to compare with and is left out.
func wanted(c *Context, check readinessCheck) (on bool, wish string, err error) {
	if on, err = c.InputBool(check.toggle, false); err != nil || !on || check.wish == "" {
		return on, "", err
	}
	wish = strings.Join(strings.Fields(c.Input(check.wish)), "")
	if strings.Trim(wish, ".") == "" {
		c.Log(smstslog.Warning, fmt.Sprintf("The check of %s is on, but %s has no value: not checked", check.name, check.wish))
		return false, "", nil
	}
	return true, wish, nil
}

func runCheck(c *Context, check readinessCheck, facts *machine.ReadinessFacts, wish string) (ok bool, err error) {
	found, ok, err := check.passed(facts, wish)
	switch {
	case errors.Is(err, errUnknown):
		found = "unknown"
	case err != nil:
		return false, fmt.Errorf("%s: %w", check.wish, err)
	}
	kind, word, value := smstslog.Info, "passed", "1"
	if !ok {
		kind, word, value = smstslog.Error, "failed", "0"
	}
	text := fmt.Sprintf("Check of %s %s: found %s", check.name, word, found)
	if wish != "" {
		text += ", wanted " + wish
	}
	c.Log(kind, text)
	return ok, c.Variables.Set(check.output, value)
}

func atLeast(fact func(*machine.ReadinessFacts) *int64) func(*machine.ReadinessFacts, string) (string, bool, error) {
	return func(f *machine.ReadinessFacts, wish string) (string, bool, error) {
		min, err := strconv.ParseInt(wish, 10, 64)
		if err != nil || min < 0 {
			return "", false, fmt.Errorf("%q is not a number", wish)
		}
		has := fact(f)
		if has == nil {
			return "", false, errUnknown
		}
		return strconv.FormatInt(*has, 10), *has >= min, nil
	}
}

func is(fact func(*machine.ReadinessFacts) *bool) func(*machine.ReadinessFacts, string) (string, bool, error) {
	return func(f *machine.ReadinessFacts, _ string) (string, bool, error) {
		has := fact(f)
		if has == nil {
			return "", false, errUnknown
		}
		return strconv.FormatBool(*has), *has, nil
	}
}

func sameType(f *machine.ReadinessFacts, wish string) (string, bool, error) {
	if wish = strings.ToUpper(wish); wish != "CLIENT" && wish != "SERVER" {
		return "", false, fmt.Errorf("%q is neither CLIENT nor SERVER", wish)
	}
	if f.OSType == "" {
		return "", false, errUnknown
	}
	return f.OSType, strings.EqualFold(f.OSType, wish), nil
}

func sameArchitecture(f *machine.ReadinessFacts, wish string) (string, bool, error) {
	bits, err := strconv.Atoi(wish)
	if err != nil || bits != 32 && bits != 64 {
		return "", false, fmt.Errorf("%q is neither 32 nor 64", wish)
	}
	if f.Architecture == 0 {
		return "", false, errUnknown
	}
	return strconv.Itoa(f.Architecture), f.Architecture == bits, nil
}

func sameLanguage(f *machine.ReadinessFacts, wish string) (string, bool, error) {
	id, err := strconv.Atoi(wish)
	if err != nil || id < 1 || id > 1<<20 {
		return "", false, fmt.Errorf("%q is not a language number such as 1033", wish)
	}
	if f.LanguageID == 0 {
		return "", false, errUnknown
	}
	return strconv.Itoa(f.LanguageID), f.LanguageID == id, nil
}

// version compares dotted versions; order is 1 when the fact must not be lower than the wish, -1 when not higher.
func version(order int, fact func(*machine.ReadinessFacts) string) func(*machine.ReadinessFacts, string) (string, bool, error) {
	return func(f *machine.ReadinessFacts, wish string) (string, bool, error) {
		want, err := numbers(wish)
		if err != nil {
			return "", false, err
		}
		text := fact(f)
		has, err := numbers(text)
		if text == "" || err != nil {
			return text, false, errUnknown
		}
		return text, compareNumbers(has, want)*order >= 0, nil
	}
}

// numbers reads up to four numbers separated by dots. What the editor's mask left empty is 0.
func numbers(text string) ([4]int64, error) {
	var out [4]int64
	parts := strings.Split(text, ".")
	if len(parts) > len(out) {
		return out, fmt.Errorf("%q has more than four parts", text)
	}
	for i, p := range parts {
		if p == "" {
			continue
		}
		n, err := strconv.ParseInt(p, 10, 64)
		if err != nil || n < 0 {
			return out, fmt.Errorf("%q is not a version such as 10.0.19045", text)
		}
		out[i] = n
	}
	return out, nil
}

func compareNumbers(a, b [4]int64) int {
	for i := range a {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}
