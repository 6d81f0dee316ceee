package osimage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHostSources(t *testing.T) {
	etc := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(etc, "sources.list.d"), 0o755))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(etc, name), []byte(text), 0o600))
	}
	write("sources.list", "deb [signed-by=/k arch=amd64] http://m/debian bookworm main contrib # c\ndeb-src http://m/debian bookworm main\ndeb http://m/debian trixie main\ndeb file:/cd bookworm main\n")
	write("sources.list.d/debian.sources", "Types: deb deb-src\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\nTypes: deb\n# c\nURIs: http://s\nSuites: bookworm-security\nComponents: main non-free\n\nTypes: deb-src\nURIs: http://x\nSuites: bookworm\nComponents: main\n\nEnabled: no\nTypes: deb\nURIs: http://y\nSuites: bookworm\nComponents: main\n")
	write("sources.list.d/other.list", "deb http://vendor stable main\ndeb http://vendor bookworm stable\n")
	found, err := hostSources(etc, "bookworm")
	require.NoError(t, err)
	var lines []string
	for _, s := range found {
		lines = append(lines, s.String())
	}
	require.Equal(t, []string{
		"deb http://m/debian bookworm main", "deb http://m/debian bookworm-updates main", "deb http://s bookworm-security main",
	}, lines)
}

func TestRecipeKey(t *testing.T) {
	base := Config{Mirror: "http://m/debian"}
	first, err := base.recipe()
	require.NoError(t, err)
	again, err := base.recipe()
	require.NoError(t, err)
	require.Equal(t, first.key, again.key)
	for name, change := range map[string]func(*Config){
		"mirror":    func(c *Config) { c.Mirror = "http://n/debian" },
		"release":   func(c *Config) { c.Release = "trixie" },
		"autologin": func(c *Config) { c.Autologin = true },
		"kernel":    func(c *Config) { c.KernelArgs = "no_timer_check" },
		"level":     func(c *Config) { c.CompressionLevel = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			c := base
			change(&c)
			r, err := c.recipe()
			require.NoError(t, err)
			require.NotEqual(t, first.key, r.key)
		})
	}
	for name, c := range map[string]Config{
		"release":   {Mirror: "http://m", Release: "../x"},
		"mirror":    {Mirror: "copy:/etc"},
		"level":     {Mirror: "http://m", CompressionLevel: 20},
		"arguments": {Mirror: "http://m", KernelArgs: "x\"; rm"},
	} {
		t.Run("bad "+name, func(t *testing.T) {
			_, err := c.recipe()
			require.Error(t, err)
		})
	}
}

func TestTalker(t *testing.T) {
	var told []string
	w := &talker{tell: func(l string) { told = append(told, l) }}
	for _, p := range []string{"I: one\n10.0%", " [...] 50%\r", "I: t", "wo\n", strings.Repeat("x", 10000)} {
		_, err := w.Write([]byte(p))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"I: one", "I: two"}, told)
	require.Equal(t, "I: one\nI: two", w.tail())
	require.LessOrEqual(t, len(w.part), 4096)
}
