package fact_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bootyard/bootyard/tsengine/fact"
)

// What is written is read back as it was, whatever firmware puts into its texts.
func TestWrittenSheetIsReadBack(t *testing.T) {
	value := rapid.OneOf(
		rapid.Map(rapid.StringMatching(`[ -~]{0,30}`), func(s string) any { return s }),
		rapid.SampledFrom([]any{"true", "yes", "null", "~", "1.10", "0x10", "- a", "a: b", `\\.\PHYSICALDRIVE0`, "# x", "'", `"`, "", " ", "20240506070809.000000+060", "2024-05-06", "1e5", "*a", "&a", "!t", "%x", "@x", "[a", "{a", "|", ">", "?", "-", "=", "<<"}),
		rapid.Map(rapid.Int64(), func(n int64) any { return n }), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) any { return f + 0.5 }),
	)
	rapid.Check(t, func(t *rapid.T) {
		s := &fact.Sheet{Environment: "winpe"}
		for _, class := range []string{"Win32_A", "Win32_B"} {
			s.Add(`root\cimv2`, class)
			for range rapid.IntRange(0, 2).Draw(t, "instances") {
				var i fact.Instance
				for _, name := range []string{"One", "Two", "Three"} {
					v := value.Draw(t, name)
					if f, ok := v.(float64); ok && f == float64(int64(f)) {
						continue // a whole number is written without a point
					}
					i.Set(name, v)
				}
				if rapid.Bool().Draw(t, "list") {
					i.Set("List", []any{"a", int64(1), value.Filter(func(v any) bool { _, f := v.(float64); return !f }).Draw(t, "element")})
				}
				s.Add(`root\cimv2`, class, i)
			}
		}
		s.Add(`root\wmi`, "C")
		data, err := s.YAML()
		require.NoError(t, err)
		back, err := fact.Parse(data)
		require.NoError(t, err, "%s", data)
		require.Equal(t, s.Environment, back.Environment)
		for _, class := range []string{"Win32_A", "Win32_B"} {
			require.Equal(t, len(s.Class("", class).Instances), len(back.Class("", class).Instances))
			for n, i := range s.Class("", class).Instances {
				require.Equal(t, i, back.Class("", class).Instances[n], "%s", data)
			}
		}
		require.NotNil(t, back.Class(`root\wmi`, "C"))
	})
	data, err := (&fact.Sheet{}).YAML()
	require.NoError(t, err)
	require.Equal(t, "{}", strings.TrimSpace(string(data)))
}
