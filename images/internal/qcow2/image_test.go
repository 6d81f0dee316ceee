package qcow2_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/internal/qcow2"
)

func read(r io.ReaderAt, size int64) ([]byte, error) {
	i, err := qcow2.Open(r, size)
	if err != nil {
		return nil, err
	}
	defer i.Close()
	var out bytes.Buffer
	buf := make([]byte, i.ClusterSize())
	for n := int64(0); n*i.ClusterSize() < i.Size(); n++ {
		zero, err := i.Cluster(n, buf)
		if err != nil {
			return nil, err
		}
		if zero {
			clear(buf)
		}
		out.Write(buf)
	}
	return out.Bytes()[:i.Size()], nil
}

// sample is a disk with text, noise, zeros and an end that is no whole cluster.
func sample() []byte {
	raw := make([]byte, 9<<20+512)
	_, _ = rand.New(rand.NewSource(1)).Read(raw[1<<20 : 2<<20])
	copy(raw[4<<20:], bytes.Repeat([]byte("text that can be packed "), 50000))
	copy(raw[len(raw)-4:], "last")
	return raw
}

func convert(t testing.TB, raw []byte, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("needs qemu-img")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "raw"), raw, 0o600))
	args = append(append([]string{"convert", "-f", "raw", "-O", "qcow2"}, args...), filepath.Join(dir, "raw"), filepath.Join(dir, "q"))
	out, err := exec.Command("qemu-img", args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return filepath.Join(dir, "q")
}

func TestReadsWhatQEMUWrites(t *testing.T) {
	raw := sample()
	for name, args := range map[string][]string{
		"plain":      nil,
		"version 2":  {"-o", "compat=0.10"},
		"compressed": {"-c"},
		"zstd":       {"-c", "-o", "compression_type=zstd"},
		"small":      {"-o", "cluster_size=512"},
		"large":      {"-c", "-o", "cluster_size=2M"},
		"allocated":  {"-S", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(convert(t, raw, args...))
			require.NoError(t, err)
			defer func() { _ = f.Close() }()
			info, err := f.Stat()
			require.NoError(t, err)
			got, err := read(f, info.Size())
			require.NoError(t, err)
			assert.Equal(t, sha256.Sum256(raw), sha256.Sum256(got))

			data, err := os.ReadFile(f.Name())
			require.NoError(t, err)
			_, err = read(bytes.NewReader(data[:len(data)/3]), int64(len(data)/3))
			require.ErrorIs(t, err, qcow2.ErrFormat, "an image that was cut off")
		})
	}
}

func TestRefuses(t *testing.T) {
	data, err := os.ReadFile(convert(t, make([]byte, 1<<20)))
	require.NoError(t, err)
	for name, change := range map[string]func([]byte){
		"difference":  func(b []byte) { binary.BigEndian.PutUint64(b[8:], 0x1000) },
		"encrypted":   func(b []byte) { binary.BigEndian.PutUint32(b[32:], 2) },
		"version 4":   func(b []byte) { binary.BigEndian.PutUint32(b[4:], 4) },
		"damaged":     func(b []byte) { binary.BigEndian.PutUint64(b[72:], 2) },
		"data file":   func(b []byte) { binary.BigEndian.PutUint64(b[72:], 4) },
		"extended":    func(b []byte) { binary.BigEndian.PutUint64(b[72:], 16) },
		"future":      func(b []byte) { binary.BigEndian.PutUint64(b[72:], 1<<40) },
		"huge":        func(b []byte) { binary.BigEndian.PutUint64(b[24:], 1<<59) },
		"far table":   func(b []byte) { binary.BigEndian.PutUint64(b[40:], 1<<62) },
		"cluster 2^3": func(b []byte) { binary.BigEndian.PutUint32(b[20:], 3) },
	} {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(data)
			change(b)
			_, err := qcow2.Open(bytes.NewReader(b), int64(len(b)))
			require.ErrorIs(t, err, qcow2.ErrFormat)
		})
	}
	_, err = qcow2.Open(bytes.NewReader(data[:50]), 50)
	require.ErrorIs(t, err, qcow2.ErrFormat)
}

// bounded fails the test when work takes more memory than a reader may for an input of n bytes: a few clusters, twice the
// tables, a decoder's window.
func bounded(t *testing.T, n int, work func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(64<<20+512*n) {
		t.Fatalf("%d bytes of memory for %d bytes of input", used, n)
	}
}

// readSome reads at most the first clusters of whatever it is given.
func readSome(b []byte) error {
	i, err := qcow2.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	defer i.Close()
	buf := make([]byte, i.ClusterSize())
	for n := int64(0); n < 16 && n*i.ClusterSize() < i.Size(); n++ {
		if _, err := i.Cluster(n, buf); err != nil {
			return err
		}
	}
	last := (i.Size() - 1) / i.ClusterSize()
	if i.Size() > 0 {
		_, err = i.Cluster(last, buf)
	}
	return err
}

// FuzzImage changes whole files.
func FuzzImage(f *testing.F) {
	raw := sample()[4<<20-2048 : 4<<20+2048] // small ones are changed faster
	for _, args := range [][]string{{"-o", "cluster_size=512"}, {"-c", "-o", "cluster_size=1024"}, {"-c", "-o", "compression_type=zstd,cluster_size=512"}} {
		data, err := os.ReadFile(convert(f, raw, args...))
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, b []byte) { bounded(t, len(b), func() { _ = readSome(b) }) })
}

// FuzzHeader gives every field of the header any value, and the tables behind it any entries: sizes that overflow, tables
// that point at themselves, at each other, at the header and behind the end.
func FuzzHeader(f *testing.F) {
	f.Add(uint32(3), uint32(16), uint64(1<<20), uint64(112), uint32(1), uint64(0), byte(0), []byte{0, 0, 0, 0, 0, 1, 0, 0})
	f.Add(uint32(3), uint32(9), uint64(1<<60), uint64(112), uint32(1<<22), uint64(8), byte(1), bytes.Repeat([]byte{0x40, 0, 0, 0, 0, 0, 2, 0}, 80))
	f.Add(uint32(2), uint32(21), uint64(1<<63), uint64(1<<63), ^uint32(0), ^uint64(0), byte(0), []byte(nil))
	f.Fuzz(func(t *testing.T, version, bits uint32, size, l1 uint64, entries uint32, features uint64, compression byte, rest []byte) {
		b := make([]byte, 112)
		copy(b, qcow2.Magic)
		binary.BigEndian.PutUint32(b[4:], version)
		binary.BigEndian.PutUint32(b[20:], bits)
		binary.BigEndian.PutUint64(b[24:], size)
		binary.BigEndian.PutUint32(b[36:], entries)
		binary.BigEndian.PutUint64(b[40:], l1)
		binary.BigEndian.PutUint64(b[72:], features)
		b[104] = compression
		b = append(b, rest...)
		bounded(t, len(b), func() { _ = readSome(b) })
	})
}
