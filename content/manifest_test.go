package content_test

import (
	"crypto/ed25519"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content"
)

func file(path, data string) content.File {
	f := content.File{Path: path, Size: int64(len(data)), SHA256: content.HashOf([]byte(data))}
	if data != "" {
		f.Chunks = []content.Hash{f.SHA256}
	}
	return f
}

func manifest(files ...content.File) content.Manifest {
	m := content.Manifest{Format: 1, PackageID: "BYD00001", Version: 1, ChunkSize: content.DefaultChunkSize, Files: files,
		CreatedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	for _, f := range files {
		m.TotalSize += f.Size
	}
	return m
}

func TestManifestAcceptsWhatItWrites(t *testing.T) {
	m := manifest(file("a", ""), file("boot/vmlinuz", "kernel"), file("é:x", "1"))
	data, err := json.Marshal(m)
	require.NoError(t, err)
	got, err := content.ParseManifest(data)
	require.NoError(t, err)
	assert.Equal(t, m, got)
}

func TestManifestRefusesHostilePaths(t *testing.T) {
	for _, path := range []string{
		"", ".", "..", "../x", "a/../../x", "a/..", "/etc/passwd", `a\b`, `..\x`, "a//b", "a/./b", "a/", "a\x00b", "a\nb", "\xff",
		".. /x", ". ", "...", "a/ /b", strings.Repeat("a", 256), strings.Repeat("a/", 1100) + "a", "a\u0085b",
	} {
		t.Run(path, func(t *testing.T) {
			assert.Error(t, manifest(file(path, "x")).Validate())
		})
	}
}

func TestManifestRefusesNamesThatCollide(t *testing.T) {
	for name, files := range map[string][]content.File{
		"twice":            {file("a", "1"), file("a", "2")},
		"case":             {file("README", "1"), file("readme", "2")},
		"case of a folder": {file("A/x", "1"), file("a/X", "2")},
		"kelvin sign":      {file("k", "1"), file("\u212a", "2")},
		"trailing dot":     {file("a", "1"), file("a.", "2")},
		"file and folder":  {file("a", "1"), file("a/b", "2")},
		"File and folder":  {file("A", "1"), file("a/b/c", "2")},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Error(t, manifest(files...).Validate())
		})
	}
}

func TestManifestRefusesWrongNumbers(t *testing.T) {
	for name, change := range map[string]func(*content.Manifest){
		"format":          func(m *content.Manifest) { m.Format = 2 },
		"package id":      func(m *content.Manifest) { m.PackageID = "../00001" },
		"version":         func(m *content.Manifest) { m.Version = 0 },
		"no files":        func(m *content.Manifest) { m.Files, m.TotalSize = nil, 0 },
		"sum":             func(m *content.Manifest) { m.TotalSize++ },
		"negative size":   func(m *content.Manifest) { m.Files[0].Size = -1; m.TotalSize = 1 },
		"overflow":        func(m *content.Manifest) { m.Files[0].Size = math.MaxInt64 },
		"chunk size":      func(m *content.Manifest) { m.ChunkSize = 1 },
		"chunk missing":   func(m *content.Manifest) { m.Files[0].Chunks = nil },
		"chunk too much":  func(m *content.Manifest) { m.Files[0].Chunks = append(m.Files[0].Chunks, content.Hash{}) },
		"chunk differs":   func(m *content.Manifest) { m.Files[0].Chunks[0][0]++ },
		"order":           func(m *content.Manifest) { m.Files[0], m.Files[1] = m.Files[1], m.Files[0] },
		"empty with hash": func(m *content.Manifest) { m.Files[0].Size, m.Files[0].Chunks, m.TotalSize = 0, nil, 2 },
	} {
		t.Run(name, func(t *testing.T) {
			m := manifest(file("a", "12"), file("b", "34"))
			require.NoError(t, m.Validate())
			change(&m)
			assert.Error(t, m.Validate())
		})
	}
}

func TestVerifyAcceptsOnlyTrustedUnalteredManifests(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	other, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	m := manifest(file("a", "1"))
	signed, err := content.Sign(m, private)
	require.NoError(t, err)

	got, err := content.Verify(signed, other, public)
	require.NoError(t, err)
	assert.Equal(t, m, got)

	_, err = content.Verify(signed, other)
	assert.ErrorIs(t, err, content.ErrSignature)
	_, err = content.Verify(signed)
	assert.ErrorIs(t, err, content.ErrSignature)
	altered := signed
	altered.Payload = []byte(strings.Replace(string(signed.Payload), `"version":1`, `"version":2`, 1))
	_, err = content.Verify(altered, public)
	assert.ErrorIs(t, err, content.ErrSignature)
	// A signature over the bare payload, as another part of the site might make, is none for a manifest.
	altered = signed
	altered.Signature = ed25519.Sign(private, signed.Payload)
	_, err = content.Verify(altered, public)
	assert.ErrorIs(t, err, content.ErrSignature)
}

func TestDigestIgnoresWhenItWasMade(t *testing.T) {
	a, b := manifest(file("a", "1")), manifest(file("a", "1"))
	b.CreatedAt = b.CreatedAt.Add(time.Hour)
	assert.Equal(t, a.Digest(), b.Digest())
	b.Version = 2
	assert.NotEqual(t, a.Digest(), b.Digest())
}

func TestParseHashTakesOneSpelling(t *testing.T) {
	h := content.HashOf([]byte("x"))
	got, err := content.ParseHash(h.String())
	require.NoError(t, err)
	assert.Equal(t, h, got)
	for _, bad := range []string{"", strings.ToUpper(h.String()), h.String()[1:], h.String() + "0", strings.Repeat("g", 64)} {
		_, err := content.ParseHash(bad)
		assert.Error(t, err, bad)
	}
}

func FuzzParseManifest(f *testing.F) {
	data, err := json.Marshal(manifest(file("a", ""), file("b/c", "1")))
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"format":1,"packageId":"BYD00001","version":1,"chunkSize":4194304,"files":[{"path":"../x","size":0}],"totalSize":0}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := content.ParseManifest(data)
		if err != nil {
			return
		}
		for _, file := range m.Files {
			require.NoError(t, content.CheckPath(file.Path))
			require.NotContains(t, "/"+file.Path+"/", "/../")
		}
		again, err := json.Marshal(m)
		require.NoError(t, err)
		parsed, err := content.ParseManifest(again)
		require.NoError(t, err)
		require.Equal(t, m.Digest(), parsed.Digest())
	})
}
