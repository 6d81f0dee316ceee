package agent_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/pki"
)

func trust(t *testing.T, ca *pki.Authority, now func() time.Time) http.RoundTripper {
	t.Helper()
	v, err := link.NewVerifier(ca.PEM(), ca.SPKI(), now)
	require.NoError(t, err)
	return v.Transport()
}

func replaceAll(s, old, new string) string { return strings.ReplaceAll(s, old, new) }
