package condition

import (
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// makeModel is the make and model rule: both must match, with wildcards; an empty pattern matches everything (TS-96).
func (e *Evaluator) makeModel(x *sequence.Expression) (Verdict, error) {
	for _, f := range []struct{ field, variable string }{{"Make", "_SMSTSMake"}, {"Model", "_SMSTSModel"}} {
		pattern := e.Variables.Expand(x.Field(f.field))
		have, _ := e.Variables.Lookup(f.variable)
		if pattern != "" && !Like(have, pattern) {
			return Verdict{false, f.field + ` "` + have + `" is not like "` + pattern + `"`}, nil
		}
	}
	return Verdict{true, "make and model match"}, nil
}

// computer is the computer rule: any identifier that is given and matches is enough (TS-96).
func (e *Evaluator) computer(x *sequence.Expression) (Verdict, error) {
	for _, f := range []struct{ field, variable string }{
		{"AssetTag", "_SMSTSAssetTag"}, {"SerialNumber", "_SMSTSSerialNumber"}, {"UUID", "_SMSTSUUID"}, {"MACAddress", "_SMSTSMacAddresses"},
	} {
		want := identifier(e.Variables.Expand(x.Field(f.field)))
		have, _ := e.Variables.Lookup(f.variable)
		if want == "" {
			continue
		}
		for _, one := range strings.Split(have, ",") {
			if identifier(one) == want {
				return Verdict{true, f.field + " matches"}, nil
			}
		}
	}
	return Verdict{false, "no identifier of the computer matches"}, nil
}

// identifier makes the spellings of one MAC address or UUID equal.
func identifier(s string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		switch r {
		case ':', '-', '{', '}', ' ':
			return -1
		}
		return r
	}, s))
}
