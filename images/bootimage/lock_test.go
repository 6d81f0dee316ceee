package bootimage_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/bootimage"
)

func TestDefaultLock(t *testing.T) {
	l, err := bootimage.DefaultLock()
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "lock.json")
	require.NoError(t, l.Write(name))
	again, err := bootimage.ReadLock(name)
	require.NoError(t, err)
	require.Equal(t, l, again)
}

func TestParseLockRefuses(t *testing.T) {
	good, err := bootimage.DefaultLock()
	require.NoError(t, err)
	first := func(change func(*bootimage.Package)) func(*bootimage.Lock) {
		return func(l *bootimage.Lock) {
			l.Packages = append([]bootimage.Package(nil), l.Packages...)
			change(&l.Packages[0])
		}
	}
	for name, change := range map[string]func(*bootimage.Lock){
		"format":       func(l *bootimage.Lock) { l.Format = 2 },
		"arch":         func(l *bootimage.Lock) { l.Arch = "riscv64" },
		"epoch":        func(l *bootimage.Lock) { l.Epoch = 0 },
		"kernel":       func(l *bootimage.Lock) { l.KernelVersion = "../../etc" },
		"no kernel":    func(l *bootimage.Lock) { l.KernelVersion = "9.9" },
		"twice":        func(l *bootimage.Lock) { l.Packages = append(l.Packages, l.Packages[0]) },
		"name":         first(func(p *bootimage.Package) { p.Name = "--option" }),
		"version":      first(func(p *bootimage.Package) { p.Version = "1 2" }),
		"version path": first(func(p *bootimage.Package) { p.Version = "1/2" }),
		"package arch": first(func(p *bootimage.Package) { p.Arch = "i386" }),
		"hash":         first(func(p *bootimage.Package) { p.SHA256 = strings.Repeat("0", 62) }),
	} {
		t.Run(name, func(t *testing.T) {
			l := good
			change(&l)
			data, err := json.Marshal(l)
			require.NoError(t, err)
			_, err = bootimage.ParseLock(data)
			require.Error(t, err)
			require.Error(t, l.Write(filepath.Join(t.TempDir(), "x")))
		})
	}
	_, err = bootimage.ParseLock([]byte(`{"unknown":1}`))
	require.Error(t, err)
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte(`{"format":1,"arch":"amd64","source_date_epoch":1,"kernel":"6.1","packages":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := bootimage.ParseLock(data)
		if err != nil {
			return
		}
		for _, p := range l.Packages {
			require.NotContains(t, p.String(), "/")
			require.False(t, strings.HasPrefix(p.String(), "-"))
		}
	})
}
