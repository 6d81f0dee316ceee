package signedurl_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/signedurl"
)

func signer(t *testing.T, now *time.Time) *signedurl.Signer {
	t.Helper()
	s, err := signedurl.New(bytes.Repeat([]byte{7}, 32), func() time.Time { return *now })
	require.NoError(t, err)
	return s
}

func TestPathOpensOnlyWhatWasSigned(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := signer(t, &now)
	path := s.Path("boot", "BYD00001/vmlinuz", time.Minute)

	name, err := s.Verify("boot", path)
	require.NoError(t, err)
	require.Equal(t, "BYD00001/vmlinuz", name)

	for label, bad := range map[string]string{
		"other name":    strings.Replace(path, "vmlinuz", "initrd", 1),
		"other expiry":  "/zzzzzz" + path[strings.Index(path[1:], "/")+1:],
		"no signature":  "/BYD00001/vmlinuz",
		"empty":         "",
		"only slashes":  "////",
		"traversal":     strings.Replace(path, "BYD00001/", "../", 1),
		"appended name": path + "x",
	} {
		_, err := s.Verify("boot", bad)
		require.ErrorIs(t, err, signedurl.ErrSignature, label)
	}
	_, err = s.Verify("content", path)
	require.ErrorIs(t, err, signedurl.ErrSignature, "another scope")

	now = now.Add(2 * time.Minute)
	_, err = s.Verify("boot", path)
	require.ErrorIs(t, err, signedurl.ErrExpired)
}

func TestPrefixOpensAllNamesOfItsScope(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := signer(t, &now)
	prefix := s.Prefix("content/BYD00002", time.Hour)

	name, err := s.VerifyPrefix("content/BYD00002", prefix+"abc")
	require.NoError(t, err)
	require.Equal(t, "abc", name)
	_, err = s.VerifyPrefix("content/BYD00003", prefix+"abc")
	require.ErrorIs(t, err, signedurl.ErrSignature)
	now = now.Add(2 * time.Hour)
	_, err = s.VerifyPrefix("content/BYD00002", prefix+"abc")
	require.ErrorIs(t, err, signedurl.ErrExpired)
}

func TestShortKeyIsRefused(t *testing.T) {
	_, err := signedurl.New([]byte("short"), time.Now)
	require.Error(t, err)
}

func FuzzVerify(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	s, _ := signedurl.New(bytes.Repeat([]byte{7}, 32), func() time.Time { return now })
	f.Add("/a/b/c")
	f.Add("//")
	f.Fuzz(func(t *testing.T, path string) {
		if _, err := s.Verify("boot", path); err == nil {
			t.Fatalf("accepted %q", path)
		}
	})
}
