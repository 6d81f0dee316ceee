package site_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// TS-76: the latest facts of a device are kept, its earlier ones are not, and nothing that would harm a terminal is.
func TestDeviceFacts(t *testing.T) {
	s := sitetest.New(t)
	d := s.Device("lab-01", 1)
	_, err := s.DeviceFacts(s.Ctx, "lab-01")
	require.Equal(t, http.StatusNotFound, problem(t, err).Status)
	who := machine{s, t, 1}.session()
	require.NoError(t, s.KeepFacts(s.Ctx, who, wire.FactSheet{YAML: "wmi: {}\n"}))
	require.NoError(t, s.KeepFacts(s.Ctx, who, wire.FactSheet{YAML: "wmi:\n  Win32_Battery: []\n"}))
	f, err := s.DeviceFacts(s.Ctx, sitetest.MAC(1))
	require.NoError(t, err)
	require.Contains(t, f.YAML, "Win32_Battery")
	require.True(t, f.Time.Equal(s.Clock.Now()))
	for _, text := range []string{"a: \x1b[2J", "a: \xff", strings.Repeat("x", wire.MaxFactSheet+1)} {
		require.Equal(t, http.StatusUnprocessableEntity, problem(t, s.KeepFacts(s.Ctx, who, wire.FactSheet{YAML: text})).Status)
	}
	require.NoError(t, s.DeleteDevice(s.Ctx, d.ID))
	_, err = s.DeviceFacts(s.Ctx, d.ID)
	require.Equal(t, http.StatusNotFound, problem(t, err).Status)
}
