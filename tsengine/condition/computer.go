package condition

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// makeModel is the make and model rule: both must match, with wildcards; an empty pattern matches everything (TS-96).
func (e *Evaluator) makeModel(x *sequence.Expression) (Verdict, error) {
	var shown []string
	for _, f := range []struct{ field, variable string }{{"Make", "_SMSTSMake"}, {"Model", "_SMSTSModel"}} {
		pattern := e.Variables.Expand(x.Field(f.field))
		have, _ := e.Variables.Lookup(f.variable)
		if pattern != "" && !Like(have, pattern) {
			return Verdict{false, fmt.Sprintf(`%s is "%s", not like "%s"`, strings.ToLower(f.field), have, x.Field(f.field))}, nil
		}
		shown = append(shown, fmt.Sprintf(`%s is "%s"`, strings.ToLower(f.field), have))
	}
	return Verdict{true, strings.Join(shown, ", ")}, nil
}

// computer is the computer rule: any identifier that is given and matches is enough (TS-96).
func (e *Evaluator) computer(x *sequence.Expression) (Verdict, error) {
	var shown []string
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
				return Verdict{true, fmt.Sprintf(`%s is "%s"`, f.field, strings.TrimSpace(one))}, nil
			}
		}
		shown = append(shown, fmt.Sprintf(`%s is "%s", not "%s"`, f.field, have, x.Field(f.field)))
	}
	if len(shown) == 0 {
		return Verdict{false, "the rule names no identifier"}, nil
	}
	return Verdict{false, strings.Join(shown, "; ")}, nil
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

// location is the location rule: one of the machine's default gateways is the one asked for (TS-96).
func (e *Evaluator) location(x *sequence.Expression) (Verdict, error) {
	var wanted []string
	for _, one := range strings.FieldsFunc(e.Variables.Expand(x.Field("DefaultGateway")), func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		wanted = append(wanted, strings.ToUpper(one))
	}
	if len(wanted) == 0 {
		return Verdict{}, errors.New("a location rule without a default gateway (TS-96)")
	}
	have, _ := e.Variables.Lookup("_SMSTSDefaultGateways")
	for _, one := range strings.Split(have, ",") {
		for _, want := range wanted {
			if strings.ToUpper(strings.TrimSpace(one)) == want {
				return Verdict{true, "the default gateway is " + strings.TrimSpace(one)}, nil
			}
		}
	}
	return Verdict{false, fmt.Sprintf(`the default gateways are "%s", not "%s"`, have, x.Field("DefaultGateway"))}, nil
}
