package bootimage_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/u-root/u-root/pkg/cpio"

	"github.com/bootyard/bootyard/images/bootimage"
)

func TestSiteArchive(t *testing.T) {
	files := map[string][]byte{"etc/bootyard/ca.pem": []byte("pem"), "/etc/bootyard/site.json": []byte("{}"), "a": nil}
	var first, second bytes.Buffer
	require.NoError(t, bootimage.SiteArchive(&first, files))
	require.NoError(t, bootimage.SiteArchive(&second, files))
	require.Equal(t, first.Bytes(), second.Bytes())
	require.Zero(t, first.Len()%512, "the next archive must begin on a boundary")

	var names []string
	inodes := map[uint64]bool{}
	err := cpio.ForEachRecord(cpio.Newc.Reader(bytes.NewReader(first.Bytes())), func(r cpio.Record) error {
		names = append(names, r.Name)
		require.Zero(t, r.UID+r.GID+r.MTime)
		require.False(t, inodes[r.Ino])
		inodes[r.Ino] = true
		if r.Name == "etc/bootyard/ca.pem" {
			data, err := io.ReadAll(io.NewSectionReader(r, 0, int64(r.FileSize)))
			require.NoError(t, err)
			require.Equal(t, "pem", string(data))
			require.Equal(t, uint64(cpio.S_IFREG|0o600), r.Mode)
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "etc", "etc/bootyard", "etc/bootyard/ca.pem", "etc/bootyard/site.json"}, names)
}

func TestSiteArchiveRefuses(t *testing.T) {
	many := map[string][]byte{}
	for i := range 1001 {
		many[strings.Repeat("x", i+1)] = nil
	}
	for name, files := range map[string]map[string][]byte{
		"up":      {"etc/../../init": nil},
		"empty":   {"": nil},
		"root":    {"/": nil},
		"twofold": {"etc": nil, "etc/x": nil},
		"many":    many,
		"large":   {"x": make([]byte, 17<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, bootimage.SiteArchive(io.Discard, files))
		})
	}
}

func TestConcat(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, bootimage.Concat(&out, strings.NewReader("abc"), strings.NewReader(strings.Repeat("d", 512)), strings.NewReader("e")))
	require.Equal(t, 3*512, out.Len())
	require.Equal(t, byte('d'), out.Bytes()[512])
	require.Equal(t, byte('e'), out.Bytes()[1024])
}
