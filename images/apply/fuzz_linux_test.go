package apply_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
)

// withChecksums makes every header's checksum right, or else nearly all that a
// fuzzer invents would be refused at the first look.
func withChecksums(image []byte) []byte {
	fixed := bytes.Clone(image)
	for rest := fixed; len(rest) >= 512; {
		head := rest[:512]
		rest = rest[512:]
		if bytes.Count(head, []byte{0}) == 512 {
			continue
		}
		copy(head[148:156], "        ")
		sum := 0
		for _, c := range head {
			sum += int(c)
		}
		copy(head[148:156], fmt.Sprintf("%06o\x00 ", sum))
		size, err := strconv.ParseUint(strings.Trim(string(head[124:136]), " \x00"), 8, 32)
		if err == nil {
			rest = rest[min(uint64(len(rest)), (size+511)/512*512):]
		}
	}
	return fixed
}

func FuzzExtract(f *testing.F) {
	f.Add(archive(f, dir("a"), file("a/b", "text"), link("l", "a"), hard("h", "a/b"), file("l/c", "x")))
	f.Add(archive(f, link("a", "../outside"), file("a/new", "x")))
	f.Add(archive(f, dir("a"), hard("a/h", "../outside"), link("a/b", "/outside"), file("a/b", "x"), dir("a/b/c"), file("a/b/../../outside/x", "x")))
	f.Fuzz(func(t *testing.T, image []byte) {
		needRoot(t)
		// In memory where there is some: a sync of a disk for each try is slow.
		base, err := os.MkdirTemp("/dev/shm", "bootyard-fuzz-")
		if err != nil {
			base = t.TempDir()
		}
		defer func() { assert.NoError(t, os.RemoveAll(base)) }()
		root := filepath.Join(base, "root")
		require.NoError(t, os.Mkdir(root, 0o700))
		require.NoError(t, os.Mkdir(filepath.Join(base, "outside"), 0o700))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, _ = apply.ExtractStream(ctx, bytes.NewReader(withChecksums(image)), apply.FormatTar, root, apply.Options{})
		left, err := os.ReadDir(base)
		require.NoError(t, err)
		assert.Len(t, left, 2)
		left, err = os.ReadDir(filepath.Join(base, "outside"))
		require.NoError(t, err)
		assert.Empty(t, left)
	})
}
