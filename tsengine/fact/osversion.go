package fact

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// osHolds is the OS version expression of MDT (TS-77): the architecture must be that of the operating system, and its
// version stand in the relation asked for. An architecture or a version that is not given does not matter. notEquals is
// the opposite of equals.
func (s *Sheet) osHolds(x *sequence.Expression) (condition.Verdict, error) {
	arch, version := strings.TrimSpace(x.Field("Architecture")), strings.TrimSpace(x.Field("Version"))
	operator := strings.ToLower(strings.TrimSpace(x.Field("Operator")))
	if operator == "" {
		operator = "equals"
	}
	if !comparison(operator) {
		return condition.Verdict{}, fmt.Errorf("unknown comparison %q (TS-77)", x.Field("Operator"))
	}
	want, err := mdtVersion(version)
	if version != "" && err != nil {
		return condition.Verdict{}, err
	}
	os := s.Class("", "Win32_OperatingSystem")
	if os == nil || len(os.Instances) == 0 {
		return condition.Verdict{}, fmt.Errorf("%w: no Win32_OperatingSystem", condition.ErrUnknown)
	}
	haveArch, haveVersion := s.architecture(os.Instances[0]), osVersion(os.Instances[0])
	have, _ := mdtVersion(haveVersion)
	reason := fmt.Sprintf("the operating system is %s %s", haveArch, haveVersion)
	sameArch := arch == "" || strings.EqualFold(arch, haveArch)
	order := compareParts(have, want)
	if operator == "notequals" {
		return condition.Verdict{Holds: !sameArch || version != "" && order != 0, Reason: reason}, nil
	}
	holds := sameArch
	if holds && version != "" {
		holds, err = condition.Ordered(operator, order)
	}
	return condition.Verdict{Holds: holds, Reason: reason}, err
}

// mdtVersion reads major.minor.build.servicepack. The minor part has two digits, padded behind: 10 is 1, 00 is 0.
func mdtVersion(s string) (parts [4]uint64, err error) {
	list := strings.Split(s, ".")
	if len(list) > 4 {
		return parts, fmt.Errorf("%q is not major.minor.build.servicepack (TS-77)", s)
	}
	for i, part := range list {
		if parts[i], err = strconv.ParseUint(strings.TrimSpace(part), 10, 32); err != nil {
			return parts, fmt.Errorf("%q is not major.minor.build.servicepack (TS-77)", s)
		}
		if i == 1 && len(part) == 2 && part[1] == '0' {
			parts[i] /= 10
		}
	}
	return parts, nil
}

func compareParts(a, b [4]uint64) int {
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

// osVersion is the version with its service pack as fourth part.
func osVersion(os Instance) string {
	v, _ := os.Property("Version")
	sp, _ := os.Property("ServicePackMajorVersion")
	parts := strings.SplitN(text(v), ".", 4)
	for len(parts) < 3 {
		parts = append(parts, "0")
	}
	pack := text(sp)
	if pack == "" {
		pack = "0"
	}
	return strings.Join(parts[:3], ".") + "." + pack
}

// architecture is X86, X64 or ARM64: what the operating system says, else what the processor says.
func (s *Sheet) architecture(os Instance) string {
	v, _ := os.Property("OSArchitecture")
	switch name := strings.ToLower(text(v)); {
	case strings.Contains(name, "arm"):
		return "ARM64"
	case strings.Contains(name, "64"):
		return "X64"
	case strings.Contains(name, "32"), strings.Contains(name, "86"):
		return "X86"
	}
	if cpu := s.Class("", "Win32_Processor"); cpu != nil && len(cpu.Instances) > 0 {
		arch, _ := cpu.Instances[0].Property("Architecture")
		width, _ := cpu.Instances[0].Property("AddressWidth")
		switch {
		case text(arch) == "12":
			return "ARM64"
		case text(arch) == "9", text(width) == "64":
			return "X64"
		case text(arch) == "0", text(width) == "32":
			return "X86"
		}
	}
	return "of unknown architecture"
}
