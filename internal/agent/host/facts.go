package host

import (
	"regexp"
	"strings"
)

var uuidShape = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// CleanUUID is an SMBIOS UUID in canonical lower case, or empty when it says nothing: absent, malformed, all zero or all
// ones. Which other values are junk is the appliance's list, because it grows.
func CleanUUID(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if !uuidShape.MatchString(s) {
		return ""
	}
	if digits := strings.Trim(s, "0-"); digits == "" {
		return ""
	}
	if digits := strings.Trim(s, "f-"); digits == "" {
		return ""
	}
	return s
}

// maxFact bounds a text of SMBIOS, which firmware may fill with anything.
const maxFact = 128

// cleanText drops what is not printable ASCII and the fillers that board makers leave in their tables.
func cleanText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > maxFact {
		s = s[:maxFact]
	}
	switch strings.ToLower(s) {
	case "to be filled by o.e.m.", "default string", "not specified", "none", "system serial number", "no asset tag",
		"no asset information", "not applicable", "n/a":
		return ""
	}
	return s
}
