package condition

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// Info is what Files knows about a path. Version is empty where files carry none, Modified is zero where it is not known.
type Info struct {
	Folder   bool
	Modified time.Time
	Version  string
}

// Files looks at the machine's files. A missing path is fs.ErrNotExist.
type Files interface {
	Stat(path string) (Info, error)
}

// OS is the Files of the operating system the program runs on.
type OS struct{ redirected bool }

// Redirected implements Redirectable: System32 as a 32-bit program sees it (TS-72).
func (OS) Redirected() Files { return OS{true} }

// Stat implements Files.
func (o OS) Stat(path string) (Info, error) {
	path = place(path, o.redirected)
	s, err := os.Stat(path)
	if err != nil {
		return Info{}, err
	}
	info := Info{Folder: s.IsDir(), Modified: s.ModTime()}
	if !info.Folder {
		info.Version = fileVersion(path)
	}
	return info, nil
}

// path evaluates a file or folder expression (TS-71).
func (e *Evaluator) path(ctx context.Context, x *sequence.Expression, folder bool) (Verdict, error) {
	name := e.Variables.Expand(x.Field("Path"))
	if name == "" {
		return Verdict{}, errors.New("a file or folder expression without a path (TS-23)")
	}
	if e.Files == nil {
		return e.ask(ctx, x, "path "+name)
	}
	info, err := view(e, e.Files).Stat(name)
	switch {
	case errors.Is(err, ErrUnknown):
		e.warn(name + " cannot be looked at on this machine, taken as false (TS-76)")
		return Verdict{false, name + " cannot be looked at here"}, nil
	case errors.Is(err, fs.ErrNotExist):
		return Verdict{false, name + " does not exist"}, nil
	case err != nil:
		return Verdict{}, fmt.Errorf("look at %s: %w", name, err)
	case info.Folder != folder:
		return Verdict{false, name + " is not of the kind asked for"}, nil
	}
	if op := x.Field("VersionOperator"); !folder && op != "" {
		if info.Version == "" {
			e.warn(name + " has no version to compare, taken as false (TS-71)")
			return Verdict{false, name + " has no version to compare"}, nil
		}
		holds, err := Ordered(op, CompareVersions(info.Version, x.Field("Version")))
		if err != nil || !holds {
			return Verdict{holds, fmt.Sprintf("version of %s is %s, not %s %s", name, info.Version, op, x.Field("Version"))}, err
		}
	}
	if op := x.Field("DateTimeOperator"); op != "" {
		if info.Modified.IsZero() { // a fact sheet that does not say
			e.warn(name + " has no known time of change to compare, taken as false (TS-71)")
			return Verdict{false, name + " has no known time of change to compare"}, nil
		}
		want, err := ParseTime(x.Field("DateTime"))
		if err != nil {
			return Verdict{}, err
		}
		have := info.Modified.UTC().Truncate(time.Second)
		holds, err := Ordered(op, have.Compare(want))
		if err != nil || !holds {
			return Verdict{holds, fmt.Sprintf("%s was changed at %s, not %s %s", name, have.Format(time.RFC3339), op, want.Format(time.RFC3339))}, err
		}
	}
	return Verdict{true, name + " is there"}, nil
}

// Ordered says whether an order of -1, 0 or 1 is the relation that one of the six operator words names (TS-64).
func Ordered(operator string, order int) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(operator)) {
	case "equals":
		return order == 0, nil
	case "notequals":
		return order != 0, nil
	case "less":
		return order < 0, nil
	case "lessequal":
		return order <= 0, nil
	case "greater":
		return order > 0, nil
	case "greaterequal":
		return order >= 0, nil
	}
	return false, fmt.Errorf("unknown comparison %q (TS-64)", operator)
}

// CompareVersions compares up to four numeric parts from the left; missing parts are zero (TS-71).
func CompareVersions(a, b string) int {
	x, y := strings.Split(strings.TrimSpace(a), "."), strings.Split(strings.TrimSpace(b), ".")
	for i := range 4 {
		var n, m uint64
		if i < len(x) {
			n, _ = strconv.ParseUint(strings.TrimSpace(x[i]), 10, 64)
		}
		if i < len(y) {
			m, _ = strconv.ParseUint(strings.TrimSpace(y[i]), 10, 64)
		}
		if n != m {
			if n < m {
				return -1
			}
			return 1
		}
	}
	return 0
}

// ParseTime reads a CIM time, yyyymmddHHMMSS.mmmmmm+UUU with the zone in minutes, to the second, in UTC.
func ParseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if len(s) < 14 {
		return time.Time{}, fmt.Errorf("%q is not a CIM time, yyyymmddHHMMSS.mmmmmm+UUU", s)
	}
	t, err := time.ParseInLocation("20060102150405", s[:14], time.UTC)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a CIM time, yyyymmddHHMMSS.mmmmmm+UUU", s)
	}
	if i := strings.LastIndexAny(s, "+-"); i >= 14 {
		if minutes, err := strconv.Atoi(s[i:]); err == nil {
			t = t.Add(-time.Duration(minutes) * time.Minute)
		}
	}
	return t, nil
}
