package sequence_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
)

func TestCanonSeesLosses(t *testing.T) {
	whole := `<a x="1" y="2">t<b/><!-- c --><?p i?></a>`
	for _, less := range []string{`<a x="1">t<b/><!-- c --><?p i?></a>`, `<a x="1" y="2"><b/><!-- c --><?p i?></a>`, `<a x="1" y="2">t<!-- c --><?p i?></a>`, `<a x="1" y="2">t<b/><?p i?></a>`, `<a x="1" y="2">t<b/><!-- c --></a>`, `<a x="1" y="3">t<b/><!-- c --><?p i?></a>`, `<a x="1" y="2"><b/>t<!-- c --><?p i?></a>`} {
		require.NotEqual(t, sequencetest.Canonise(t, whole), sequencetest.Canonise(t, less))
	}
	require.Equal(t, sequencetest.Canonise(t, whole), sequencetest.Canonise(t, `<?xml version="1.0"?><a  y = '2' x="1"><![CDATA[t]]><b></b><!-- c --><?p i?></a>`+"\n"), fmt.Sprint("order of attributes, quotes, CDATA and empty tags say nothing"))
}
