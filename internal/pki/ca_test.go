package pki_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/pki"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestOpenKeepsTheAuthorityOverRestarts(t *testing.T) {
	dir := t.TempDir()
	first, err := pki.Open(dir)
	require.NoError(t, err)
	second, err := pki.Open(dir)
	require.NoError(t, err)
	require.Equal(t, first.SPKI(), second.SPKI())
	require.Equal(t, first.PEM(), second.PEM())

	info, err := os.Stat(filepath.Join(dir, "ca.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestSPKIIsTheHashOfThePublicKey(t *testing.T) {
	a, err := pki.Open(t.TempDir())
	require.NoError(t, err)
	block, _ := pem.Decode(a.PEM())
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), a.SPKI())
}

func TestServerCertificateVerifiesAndIsRenewed(t *testing.T) {
	a, err := pki.Open(t.TempDir())
	require.NoError(t, err)
	addr := net.IPv4(10, 77, 0, 1)
	c, err := a.Server([]string{"boot.example"}, []net.IP{addr}, now)
	require.NoError(t, err)

	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(a.PEM()))
	_, err = c.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: "10.77.0.1"})
	require.NoError(t, err)

	same, err := a.Server([]string{"boot.example"}, []net.IP{addr}, now.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, c.Leaf.SerialNumber, same.Leaf.SerialNumber, "a good certificate is kept")
	other, err := a.Server(nil, []net.IP{net.IPv4(10, 77, 0, 2)}, now.Add(time.Hour))
	require.NoError(t, err)
	require.NotEqual(t, c.Leaf.SerialNumber, other.Leaf.SerialNumber, "a new address needs a new certificate")
	late, err := a.Server(nil, []net.IP{net.IPv4(10, 77, 0, 2)}, now.Add(80*24*time.Hour))
	require.NoError(t, err)
	require.NotEqual(t, other.Leaf.SerialNumber, late.Leaf.SerialNumber, "renewed a month before it expires")
}

// The first start may have been with a wrong clock, and the pinned key is what
// counts: the CA's own times are the same whatever the clock said.
func TestAuthorityIsGoodWhateverTheClockWasAtFirst(t *testing.T) {
	a, err := pki.Open(t.TempDir())
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(a.PEM()))
	for name, at := range map[string]time.Time{
		"empty battery": time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), "far ahead": time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC), "right": now,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := a.Server([]string{"boot.example"}, nil, at)
			require.NoError(t, err)
			for _, then := range []time.Time{at, at.Add(60 * 24 * time.Hour)} {
				_, err = c.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: then, DNSName: "boot.example"})
				require.NoError(t, err)
			}
		})
	}
}

func TestDamagedFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	_, err := pki.Open(dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("x"), 0o644))
	_, err = pki.Open(dir)
	require.ErrorContains(t, err, "ca.pem")

	other := t.TempDir()
	_, err = pki.Open(other)
	require.NoError(t, err)
	stranger, err := os.ReadFile(filepath.Join(other, "ca.pem"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), stranger, 0o644))
	_, err = pki.Open(dir)
	require.ErrorContains(t, err, "do not belong together")
}
