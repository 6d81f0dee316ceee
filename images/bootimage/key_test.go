package bootimage

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBaseKey(t *testing.T) {
	key := func(change func(*Lock, *Config)) string {
		l, err := DefaultLock()
		require.NoError(t, err)
		var c Config
		change(&l, &c)
		in, err := c.inputs()
		require.NoError(t, err)
		k, err := baseKey(l, in)
		require.NoError(t, err)
		return k
	}
	first := key(func(*Lock, *Config) {})
	require.Equal(t, first, key(func(*Lock, *Config) {}))
	seen := map[string]bool{first: true}
	for _, change := range []func(*Lock, *Config){
		func(l *Lock, _ *Config) { l.Epoch++ },
		func(l *Lock, _ *Config) { l.Packages = l.Packages[1:] },
		func(_ *Lock, c *Config) { c.ModuleList = "fs/ext4/" },
		func(_ *Lock, c *Config) { c.ToolList = "kmod /bin/kmod" },
		func(_ *Lock, c *Config) { c.CompressionLevel = QuickLevel },
	} {
		k := key(change)
		require.False(t, seen[k])
		seen[k] = true
	}
	require.NotEqual(t, imageKey(first, "a"), imageKey(first, "b"))
}

func TestParseURIs(t *testing.T) {
	got, err := parseURIs("Reading lists...\n'http://m/z.deb' zlib1g_1%3a1.2+b1_amd64.deb 10 SHA256:ab\n'http://m/a.deb' a1_2_all.deb 1 MD5Sum:x\n")
	require.NoError(t, err)
	require.Equal(t, []Package{{Name: "a1", Version: "2", Arch: "all"}, {Name: "zlib1g", Version: "1:1.2+b1", Arch: "amd64"}}, got)
	for _, bad := range []string{"'u' odd.deb 1 x\n", "'u' -o_1_all.deb 1 x\n", "'u' a1_%zz_all.deb 1 x\n"} {
		_, err := parseURIs(bad)
		require.Error(t, err, bad)
	}
}

func TestGoneError(t *testing.T) {
	for said, gone := range map[string]bool{
		"E: Version '1' for 'x' was not found":       true,
		"Err:1 http://m x\n  404  Not Found [IP: 1]": true,
		"E: Temporary failure resolving 'm'":         false,
	} {
		err := goneError(&toolError{name: "apt-get", said: said, err: errors.New("exit status 100")})
		require.Equal(t, gone, errors.Is(err, ErrVersionGone), said)
	}
}
