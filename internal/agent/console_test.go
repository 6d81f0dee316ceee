package agent_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/tsengine"
)

// TSDisableProgressUI and TSProgressInfoLevel reach the screen.
func TestTS170AndTS171OnTheScreen(t *testing.T) {
	for text, e := range map[string]tsengine.Event{
		"":                                   {Kind: tsengine.StepStarted, Name: "a", Step: 2, Steps: 10, Hidden: true},
		"step 2 of 10: a\r\n":                {Kind: tsengine.StepStarted, Name: "a", Step: 2, Steps: 10},
		"step 2 of 10 (20% complete): a\r\n": {Kind: tsengine.StepStarted, Name: "a", Step: 2, Steps: 10, Progress: "2 of 10 (20% complete)"},
	} {
		var screen bytes.Buffer
		agent.NewConsole(&screen, time.Now).Show(e)
		require.Equal(t, text, screen.String())
	}
}
