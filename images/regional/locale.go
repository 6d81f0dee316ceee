package regional

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

type locale struct {
	lcid     int
	name     string
	keyboard string
}

// ErrUnknown is the error of a name that is in no table.
var ErrUnknown = errors.New("unknown language")

// Locale is the name, such as de-DE, of a language that is given as a name, as a number (1031, 0407), or as Windows'
// input locale (0407:00000407, of which the part before the colon is the language).
func Locale(text string) (string, error) {
	text = strings.TrimSpace(text)
	first, _, _ := strings.Cut(text, ";") // several input locales: the first is the default
	first, _, _ = strings.Cut(first, ":")
	if l, ok := find(first); ok {
		return l.name, nil
	}
	if wellFormed(first) {
		return first, nil
	}
	return "", fmt.Errorf("%.40q: %w; names such as de-DE and numbers such as 0407 are understood", text, ErrUnknown)
}

// LCID is Windows' number of a language, 0 when it has none.
func LCID(name string) int {
	l, ok := find(name)
	if !ok {
		return 0
	}
	return l.lcid
}

// POSIX is the name of a locale for the C library: de-CH is de_CH.UTF-8, sr-Latn-RS is sr_RS.UTF-8@latin.
func POSIX(name string) (string, error) {
	if !wellFormed(name) {
		return "", fmt.Errorf("%.40q: %w", name, ErrUnknown)
	}
	parts := strings.Split(name, "-")
	modifier, region := "", ""
	for _, p := range parts[1:] {
		switch {
		case len(p) == 4 && strings.EqualFold(p, "Latn") && parts[0] == "sr":
			modifier = "@latin"
		case len(p) == 2:
			region = "_" + strings.ToUpper(p)
		}
	}
	if region == "" {
		l, ok := find(name)
		if !ok {
			return "", fmt.Errorf("%.40q names no country: %w", name, ErrUnknown)
		}
		return POSIX(l.name)
	}
	return strings.ToLower(parts[0]) + region + ".UTF-8" + modifier, nil
}

// FromPOSIX is the counterpart of POSIX; C and POSIX are en-US.
func FromPOSIX(lang string) string {
	lang, modifier, _ := strings.Cut(lang, "@")
	lang, _, _ = strings.Cut(lang, ".")
	if lang == "C" || lang == "POSIX" || lang == "" {
		return "en-US"
	}
	lang = strings.ReplaceAll(lang, "_", "-")
	if modifier == "latin" {
		language, region, _ := strings.Cut(lang, "-")
		return language + "-Latn-" + region
	}
	return lang
}

// Keyboard is the XKB layout and variant for an input locale: a language, or language:keyboard as Windows writes it
// (0409:00000407 is a German keyboard for English). ok is false when nothing is known.
func Keyboard(input string) (layout, variant string, ok bool) {
	first, _, _ := strings.Cut(strings.TrimSpace(input), ";")
	language, keyboard, both := strings.Cut(first, ":")
	l, ok := find(language)
	if both {
		n, err := strconv.ParseUint(strings.TrimSpace(keyboard), 16, 32)
		if err != nil {
			return "", "", false
		}
		// The low half of a keyboard's number is the language that it was made for; the high half tells variants apart.
		l, ok = byNumber(int(n & 0xFFFF))
	}
	if !ok {
		return "", "", false
	}
	layout, variant, _ = strings.Cut(l.keyboard, "(")
	return layout, strings.TrimSuffix(variant, ")"), true
}

func find(text string) (locale, bool) {
	text = strings.TrimSpace(text)
	for _, l := range locales() {
		if strings.EqualFold(l.name, text) {
			return l, true
		}
	}
	// Windows writes four hexadecimal digits into answer files; Check Readiness has a decimal number.
	if len(text) == 4 || len(text) == 8 || strings.HasPrefix(text, "0x") {
		if n, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 32); err == nil {
			if l, ok := byNumber(int(n)); ok {
				return l, true
			}
		}
	}
	if n, err := strconv.Atoi(text); err == nil {
		return byNumber(n)
	}
	if len(text) == 2 || len(text) == 3 {
		for _, l := range locales() {
			if language, _, _ := strings.Cut(l.name, "-"); strings.EqualFold(language, text) {
				return l, true
			}
		}
	}
	return locale{}, false
}

func byNumber(n int) (locale, bool) {
	for _, l := range locales() {
		if l.lcid == n {
			return l, true
		}
	}
	return locale{}, false
}

// wellFormed accepts language[-Script][-Region].
func wellFormed(name string) bool {
	parts := strings.Split(name, "-")
	if len(parts) > 3 || len(parts[0]) < 2 || len(parts[0]) > 3 {
		return false
	}
	for _, p := range parts {
		if len(p) < 2 || len(p) > 4 {
			return false
		}
		for _, c := range p {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}
