package client_test

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/content/library"
)

// BenchmarkFetch compares Fetch with curl and sha256sum one after the other: the same server, the same disk, both synced.
func BenchmarkFetch(b *testing.B) {
	const size = 256 << 20
	lib, err := library.Open(b.TempDir(), library.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32))})
	require.NoError(b, err)
	defer lib.Close()
	source := filepath.Join(b.TempDir(), "image")
	data := make([]byte, size)
	_, err = rand.NewChaCha8([32]byte{7}).Read(data)
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(source, data, 0o644))
	result, err := lib.Add(context.Background(), "BYD00001", source, nil)
	require.NoError(b, err)
	server := httptest.NewServer(lib.Handler())
	defer server.Close()

	b.Run("bootyard", func(b *testing.B) {
		b.SetBytes(size)
		for range b.N {
			_, _, err := client.Fetch(context.Background(), client.Request{
				Manifest: result.Manifest, Dir: b.TempDir(), Sources: []client.Source{{BaseURL: server.URL, Kind: client.KindCurrent}},
			})
			require.NoError(b, err)
		}
	})
	b.Run("curl+sha256sum", func(b *testing.B) {
		for _, tool := range []string{"curl", "sha256sum", "sync"} {
			if _, err := exec.LookPath(tool); err != nil {
				b.Skipf("%s is not installed", tool)
			}
		}
		b.SetBytes(size)
		for range b.N {
			name := filepath.Join(b.TempDir(), "image")
			for _, args := range [][]string{
				{"curl", "-sS", "--fail", "--max-time", "300", "-o", name, server.URL + "/" + result.Manifest.Files[0].SHA256.String()},
				{"sha256sum", name}, {"sync", "-f", name},
			} {
				output, err := exec.Command(args[0], args[1:]...).CombinedOutput()
				require.NoError(b, err, "%s", output)
			}
		}
	})
}

// BenchmarkFetchSmallFiles fetches 2000 files of 2 KiB.
func BenchmarkFetchSmallFiles(b *testing.B) {
	lib, err := library.Open(b.TempDir(), library.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32))})
	require.NoError(b, err)
	defer lib.Close()
	source := b.TempDir()
	random := rand.NewChaCha8([32]byte{7})
	for i := range 2000 {
		data := make([]byte, 2048)
		_, _ = random.Read(data)
		require.NoError(b, os.WriteFile(filepath.Join(source, strconv.Itoa(i)), data, 0o644))
	}
	result, err := lib.Add(context.Background(), "BYD00001", source, nil)
	require.NoError(b, err)
	server := httptest.NewServer(lib.Handler())
	defer server.Close()
	b.ResetTimer()
	for range b.N {
		_, _, err := client.Fetch(context.Background(), client.Request{
			Manifest: result.Manifest, Dir: b.TempDir(), Sources: []client.Source{{BaseURL: server.URL, Kind: client.KindCurrent}},
		})
		require.NoError(b, err)
	}
}
