package regional_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // so that the zones exist everywhere

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/regional"
)

func TestZone(t *testing.T) {
	for windows, want := range map[string]string{
		"W. Europe Standard Time": "Europe/Berlin", "AUS Eastern Standard Time": "Australia/Sydney", "UTC": "Etc/UTC",
		"pacific standard time": "America/Los_Angeles", "Europe/Kyiv": "Europe/Kyiv", " Tokyo Standard Time ": "Asia/Tokyo",
	} {
		got, ok := regional.Zone(windows)
		require.True(t, ok, windows)
		require.Equal(t, want, got)
		_, err := time.LoadLocation(got)
		require.NoError(t, err)
	}
	for _, bad := range []string{"", "Nowhere Standard Time", "../../etc/passwd", "Europe/../../x", "/etc/passwd", "Europe/", "Europe/Ber lin"} {
		_, ok := regional.Zone(bad)
		require.False(t, ok, bad)
	}
	for iana, want := range map[string]string{"Europe/Berlin": "W. Europe Standard Time", "Europe/Vienna": "W. Europe Standard Time",
		"Etc/UTC": "UTC", "UTC": "UTC", "America/Toronto": "Eastern Standard Time", "Mars/Base": ""} {
		require.Equal(t, want, regional.WindowsZone(iana), iana)
	}
}

func TestLocale(t *testing.T) {
	for in, want := range map[string]string{"de-DE": "de-DE", "0407": "de-DE", "1031": "de-DE", "0409:00000407": "en-US", "de": "de-DE",
		"0407:00000407;0409:00000409": "de-DE", "EN-us": "en-US", "0x0411": "ja-JP", "xx-YY": "xx-YY"} {
		got, err := regional.Locale(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, bad := range []string{"", "99", "de-DE; rm -rf /", "../x", "a", "deutsch-DE"} {
		got, err := regional.Locale(bad)
		if bad == "de-DE; rm -rf /" { // only what is before the semicolon counts
			require.Equal(t, "de-DE", got)
			continue
		}
		require.ErrorIs(t, err, regional.ErrUnknown, bad)
	}
	for in, want := range map[string]string{"de-CH": "de_CH.UTF-8", "sr-Latn-RS": "sr_RS.UTF-8@latin", "zh-Hans-CN": "zh_CN.UTF-8", "fr": "fr_FR.UTF-8"} {
		got, err := regional.POSIX(in)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Equal(t, "de-CH", regional.FromPOSIX("de_CH.UTF-8"))
	require.Equal(t, "sr-Latn-RS", regional.FromPOSIX("sr_RS.UTF-8@latin"))
	require.Equal(t, "en-US", regional.FromPOSIX("C.UTF-8"))
	require.Equal(t, 1031, regional.LCID("de-DE"))
	require.Zero(t, regional.LCID("xx-YY"))
}

func TestKeyboard(t *testing.T) {
	for in, want := range map[string]string{"de-DE": "de", "0409:00000407": "de", "fr-CH": "ch fr", "0407:00000807": "ch", "en-US": "us"} {
		layout, variant, ok := regional.Keyboard(in)
		require.True(t, ok, in)
		require.Equal(t, want, strings.TrimSpace(layout+" "+variant), in)
	}
	_, _, ok := regional.Keyboard("xx-YY")
	require.False(t, ok)
}

func FuzzLocale(f *testing.F) {
	f.Add("0409:00000407")
	f.Add("sr-Latn-RS")
	f.Fuzz(func(t *testing.T, text string) {
		if name, err := regional.Locale(text); err == nil {
			require.NotContains(t, name, "/")
			if posix, err := regional.POSIX(name); err == nil {
				require.NotContains(t, posix, "/")
			}
		}
		regional.Keyboard(text)
		regional.Zone(text)
	})
}
