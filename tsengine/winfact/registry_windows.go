package winfact

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/bootyard/bootyard/tsengine/fact"
)

var roots = map[string]registry.Key{"hklm": registry.LOCAL_MACHINE, "hkcu": registry.CURRENT_USER, "hku": registry.USERS, "hkcc": registry.CURRENT_CONFIG}

// maxData bounds a value; larger ones are no matter of conditions.
const maxData = 1 << 20

var kinds = map[uint32]string{registry.NONE: "REG_NONE", registry.SZ: "REG_SZ", registry.EXPAND_SZ: "REG_EXPAND_SZ", registry.BINARY: "REG_BINARY",
	registry.DWORD: "REG_DWORD", registry.DWORD_BIG_ENDIAN: "REG_DWORD_BIG_ENDIAN", registry.MULTI_SZ: "REG_MULTI_SZ", registry.QWORD: "REG_QWORD"}

// registry reads one value of one key into a sheet.
func (f Facts) registry(path, name string) (*fact.Sheet, error) {
	sheet := &fact.Sheet{Registry: map[string]*fact.Key{}}
	id := fact.KeyPath(path)
	root, below, _ := strings.Cut(id, `\`)
	hive, ok := roots[root]
	if !ok {
		return nil, fmt.Errorf("registry key %q begins with no root: HKEY_LOCAL_MACHINE, HKEY_CURRENT_USER, HKEY_USERS and HKEY_CURRENT_CONFIG exist (TS-73)", path)
	}
	access := uint32(registry.QUERY_VALUE | registry.WOW64_64KEY)
	if f.redirected {
		access = registry.QUERY_VALUE | registry.WOW64_32KEY
	}
	key, err := registry.OpenKey(hive, below, access)
	if gone(err) {
		return sheet, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open registry key %s: %w", path, err)
	}
	defer key.Close()
	known := &fact.Key{Path: path, Values: map[string]fact.Value{}}
	sheet.Registry[id] = known
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "(default)", "@":
		name = ""
	}
	v, err := read(key, name)
	switch {
	case gone(err):
	case err != nil:
		return nil, fmt.Errorf(`read registry value %s\%s: %w`, path, name, err)
	default:
		known.Values[strings.ToLower(name)] = v
	}
	return sheet, nil
}

func gone(err error) bool {
	return errors.Is(err, registry.ErrNotExist) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND)
}

func read(key registry.Key, name string) (fact.Value, error) {
	size, kind, err := key.GetValue(name, nil)
	if err != nil {
		return fact.Value{}, err
	}
	v := fact.Value{Name: name, Type: kinds[kind]}
	if size > maxData {
		return v, fmt.Errorf("it has %d bytes, the limit is %d", size, maxData)
	}
	switch kind {
	case registry.SZ, registry.EXPAND_SZ:
		v.Data, _, err = key.GetStringValue(name)
	case registry.DWORD, registry.QWORD:
		var n uint64
		n, _, err = key.GetIntegerValue(name)
		if v.Data = n; n <= math.MaxInt64 {
			v.Data = int64(n)
		}
	case registry.MULTI_SZ:
		var lines []string
		lines, _, err = key.GetStringsValue(name)
		list := make([]any, len(lines))
		for i := range lines {
			list[i] = lines[i]
		}
		v.Data = list
	default:
		data := make([]byte, size)
		if size > 0 {
			_, _, err = key.GetValue(name, data)
		}
		v.Data = hex.EncodeToString(data)
		if v.Type == "" {
			v.Type = fmt.Sprintf("REG_%d", kind)
		}
	}
	return v, err
}
