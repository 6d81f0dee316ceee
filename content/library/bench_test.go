package library_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content"
)

// random returns n bytes that no file system can compress or find holes in.
func random(b *testing.B, n int) string {
	b.Helper()
	data := make([]byte, n)
	_, err := rand.NewChaCha8([32]byte{7}).Read(data)
	require.NoError(b, err)
	return string(data)
}

// BenchmarkServe compares the handler with nginx: the same file, the same client, both on loopback.
func BenchmarkServe(b *testing.B) {
	for _, size := range []int{64 << 10, 64 << 20} {
		root := b.TempDir()
		l := open(b, root)
		data := random(b, size)
		_, err := l.Add(context.Background(), pkg, tree(b, map[string]string{"image": data}), nil)
		require.NoError(b, err)
		hash := content.HashOf([]byte(data)).String()
		b.Run(fmt.Sprintf("bootyard/%dKiB", size>>10), func(b *testing.B) {
			server := httptest.NewServer(l.Handler())
			defer server.Close()
			download(b, server.URL+"/"+hash, int64(size))
		})
		b.Run(fmt.Sprintf("nginx/%dKiB", size>>10), func(b *testing.B) {
			download(b, startNginx(b, filepath.Join(root, "blobs", hash[:2]))+"/"+hash, int64(size))
		})
	}
}

func download(b *testing.B, url string, size int64) {
	b.Helper()
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	buffer := make([]byte, 256<<10)
	b.SetBytes(size)
	b.ResetTimer()
	for range b.N {
		response, err := client.Get(url)
		require.NoError(b, err)
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, response.Body, buffer)
		require.NoError(b, err)
		require.Equal(b, size, n)
		require.NoError(b, response.Body.Close())
	}
}

// startNginx serves dir on loopback with sendfile on, until the benchmark ends.
func startNginx(b *testing.B, dir string) (url string) {
	b.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		b.Skip("nginx is not installed: apt-get install nginx-light")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	address := listener.Addr().String()
	require.NoError(b, listener.Close())
	temp := b.TempDir()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the test's folders belong to us
	}
	config := filepath.Join(temp, "nginx.conf")
	require.NoError(b, os.WriteFile(config, fmt.Appendf(nil, `%s daemon off; worker_processes 1; pid %[2]s/pid; error_log %[2]s/error.log;
events { worker_connections 64; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
  client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s; scgi_temp_path %[2]s;
  server { listen %[3]s; root %[4]s; } }
`, user, temp, address, dir), 0o644))
	command := exec.Command(nginx, "-p", temp, "-e", filepath.Join(temp, "error.log"), "-c", config)
	require.NoError(b, command.Start())
	b.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt) // nginx ends its worker too
		_ = command.Wait()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			require.NoError(b, conn.Close())
			return "http://" + address
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(temp, "error.log"))
			b.Fatalf("nginx does not listen: %s", log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// BenchmarkAdd imports one large file: read, two hashes, write, sync.
func BenchmarkAdd(b *testing.B) {
	const size = 128 << 20
	source := tree(b, map[string]string{"image": random(b, size)})
	b.SetBytes(size)
	for range b.N {
		l := open(b, b.TempDir())
		_, err := l.Add(context.Background(), pkg, source, nil)
		require.NoError(b, err)
		require.NoError(b, l.Close())
	}
}
