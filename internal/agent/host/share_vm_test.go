//go:build linux

package host_test

import (
	"context"
	"crypto/ed25519"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/library"
	"github.com/bootyard/bootyard/internal/packageshare"
)

// onePackage is a library with one package, which is in the share.
type onePackage struct{ *library.Library }

// Shared implements packageshare.Source.
func (onePackage) Shared(context.Context) ([]packageshare.Package, error) {
	return []packageshare.Package{{ID: "BYD00001", Version: 1}}, nil
}

// packageShare serves a package on a port of the loopback, as the appliance does (DOP-5).
func packageShare(t *testing.T, ctx context.Context) *packageshare.Share {
	t.Helper()
	lib, err := library.Open(t.TempDir(), library.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32))})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run.sh"), []byte("echo hello from the share\n"), 0o644))
	_, err = lib.Add(ctx, "BYD00001", dir, nil)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listen := l.Addr().String()
	require.NoError(t, l.Close())
	share, err := packageshare.New(packageshare.Config{Dir: filepath.Join(t.TempDir(), "share"), Listen: listen, Password: "0123456789abcdefghij", Source: onePackage{lib}})
	require.NoError(t, err)
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- share.Run(serving) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		require.NoError(t, lib.Close())
	})
	require.NoError(t, share.Wait(ctx))
	require.Eventually(t, func() bool { return share.Ready("BYD00001", 1) }, time.Minute, 20*time.Millisecond)
	return share
}
