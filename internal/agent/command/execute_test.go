package command_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/command"
	"github.com/bootyard/bootyard/tsengine/fact"
)

// What the agent prints of this machine is a sheet that the simulator reads.
func TestFacts(t *testing.T) {
	var out, errors bytes.Buffer
	require.Equal(t, 0, command.Execute(t.Context(), []string{"facts"}, command.Streams{Out: &out, Err: &errors}), errors.String())
	sheet, err := fact.Parse(out.Bytes())
	require.NoError(t, err)
	require.Equal(t, "fullos", sheet.Environment)
	require.Len(t, sheet.Class("", "Win32_OperatingSystem").Instances, 1)
}

func TestExecute(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		out  string
		err  string
	}{
		"nothing":         {nil, 2, "", "bootyard-agent winpe"},
		"help":            {[]string{"--help"}, 0, "bootyard-agent service", ""},
		"unknown":         {[]string{"dance"}, 2, "", `command "dance" is unknown`},
		"install nothing": {[]string{"install"}, 2, "", "needs one deployment"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, err bytes.Buffer
			require.Equal(t, c.code, command.Execute(context.Background(), c.args, command.Streams{Out: &out, Err: &err}))
			require.Contains(t, out.String(), c.out)
			require.Contains(t, err.String(), c.err)
		})
	}
}
