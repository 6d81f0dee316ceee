package site_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// TestTS120Children: a sequence can be deployed when its children are there, and
// theirs, and nothing runs itself (TSV-4).
func TestTS120Children(t *testing.T) {
	s := sitetest.New(t)
	put := func(id, attributes string) {
		t.Helper()
		_, err := s.ImportSequence(s.Ctx, wire.SequenceImport{ID: id, Replace: true, XML: `<sequence name="s" ` + attributes + `/>`})
		require.NoError(t, err)
	}
	invalid := func(id string) string {
		t.Helper()
		seq, _, err := s.Service.Sequence(s.Ctx, id)
		require.NoError(t, err)
		require.Equal(t, len(seq.Invalid) == 0, seq.CanDeploy)
		var texts []string
		for _, r := range seq.Invalid {
			texts = append(texts, r.Rule+" "+r.Text)
		}
		return strings.Join(texts, "; ")
	}
	put("LAB00001", `children="LAB00002 LAB00003"`)
	require.Contains(t, invalid("LAB00001"), `step "Run LAB00002" refers to sequence LAB00002, which does not exist`)
	put("LAB00002", `children="LAB00003"`)
	put("LAB00003", "")
	require.Empty(t, invalid("LAB00001"))

	put("LAB00003", `refs="LAB0EEEE"`)
	require.Contains(t, invalid("LAB00001"), `TSV-2 child task sequence LAB00003 "s": step "Step" refers to package LAB0EEEE`)
	require.Contains(t, invalid("LAB00001"), `child task sequence LAB00002 "s": child task sequence LAB00003`)

	put("LAB00003", `children="LAB00001"`)
	for _, id := range []string{"LAB00001", "LAB00002", "LAB00003"} {
		require.Contains(t, invalid(id), "TS-120", id)
		require.Contains(t, invalid(id), "runs itself", id)
	}
	put("LAB00003", `children="LAB00003"`)
	require.Contains(t, invalid("LAB00003"), `TS-120 step "Run LAB00003": task sequence LAB00003 runs itself`)
}
