package appliance

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkContent fetches files the way a machine does: through the signature and the package's manifest. Compare it with
// content/library's BenchmarkServe, which has nginx beside it.
func BenchmarkContent(b *testing.B) {
	for _, size := range []int{2 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			a := newBench(b)
			dir := b.TempDir()
			for i := range 1000 {
				require.NoError(b, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Appendf(nil, "%0*d", size, i), 0o600))
			}
			m, err := a.content.Import(b.Context(), "BYD00009", 1, dir)
			require.NoError(b, err)
			server := httptest.NewServer(a.bootHandler())
			defer server.Close()
			sources, err := a.content.Sources(b.Context(), m)
			require.NoError(b, err)
			base := server.URL + sources[0].Base[len(a.cfg.HTTP.URL):]
			client := &http.Client{Timeout: time.Minute}
			defer client.CloseIdleConnections()
			b.SetBytes(int64(size))
			n := 0
			for b.Loop() {
				r, err := client.Get(base + m.Files[n%len(m.Files)].SHA256)
				require.NoError(b, err)
				got, err := io.Copy(io.Discard, r.Body)
				require.NoError(b, err)
				require.EqualValues(b, size, got)
				require.NoError(b, r.Body.Close())
				n++
			}
		})
	}
}
