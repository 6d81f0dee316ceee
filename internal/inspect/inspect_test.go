package inspect_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/inspect"
	"github.com/bootyard/bootyard/internal/wire"
)

// TestTS120ChildrenAreReferences: that a sequence has children is no problem of
// its own; the site looks for them, because they may come later.
func TestTS120ChildrenAreReferences(t *testing.T) {
	f, err := inspect.Sequences{}.Inspect(`<sequence version="3.10"><subtasksequence type="SMS_TaskSequence_SubTasksequence" name="Run it" successCodeList="0"><action>SubTasksequence.exe</action>` +
		`<defaultVarList><variable name="OSDSubTasksequencePackageID">BYD00009</variable></defaultVarList></subtasksequence></sequence>`)
	require.NoError(t, err)
	require.Empty(t, f.Problems)
	require.Equal(t, []wire.Reference{{ID: "BYD00009", Kind: "sequence", Step: "Run it"}}, f.References)
}
