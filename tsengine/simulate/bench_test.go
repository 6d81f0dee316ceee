package simulate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/simulate"
)

// BenchmarkVariables simulates steps that set variables, each another one. Four times as many take four times as long.
func BenchmarkVariables(b *testing.B) {
	for _, kind := range []struct{ name, step string }{
		{"dynamic", typed("SetDynamicVariablesAction", "d", "", "OSDSetDynamicVariablesRules", "&lt;Rules&gt;&lt;Rule&gt;&lt;Variables&gt;&lt;Variable Name=&quot;V%[1]d&quot;&gt;value&lt;/Variable&gt;&lt;/Variables&gt;&lt;/Rule&gt;&lt;/Rules&gt;")},
		{"partition", strings.ReplaceAll(typed("PartitionDiskAction", "p", `runIn="WinPE"`, "OSDPartitions", "1", "OSDPartitionStyle", "MBR", "OSDPartitions0Type", "Primary", "OSDPartitions0FileSystem", "NTFS", "OSDPartitions0SizeUnits", "Percent", "OSDPartitions0Size", "100", "OSDPartitions0VolumeLetterVariable", "V%[1]d"), ` hidden="true"`, "")},
		{"old", `<step type="SMS_TaskSequence_SetVariableAction" name="s"><action>tsenv.exe "V%[1]d=value"</action></step>`},
		{"secret", typed("SetVariableAction", "s", "", "VariableName", "Password%[1]d", "VariableValue", "value-%[1]d")},
	} {
		for _, n := range []int{1000, 4000} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				var body strings.Builder
				for i := range n {
					fmt.Fprintf(&body, kind.step, i)
				}
				s := parse(b, body.String())
				for b.Loop() {
					trace, err := simulate.Walk(context.Background(), simulate.Options{Sequence: s})
					require.NoError(b, err)
					require.Equal(b, simulate.Success, trace.Outcome, trace.Error)
					require.Contains(b, trace.Nodes[n-1].Reason, fmt.Sprint(n-1), "%+v", trace.Nodes[n-1])
				}
			})
		}
	}
}
