package condition

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// exempt are the folders below System32 that Windows shows to 32-bit programs too.
var exempt = [...]string{`catroot`, `catroot2`, `driverstore`, `drivers\etc`, `logfiles`, `spool`}

// systemNames replaces the variables of the system in a path (TS-71); those of the sequence are replaced already. A 32-bit
// program finds the folders of 32-bit programs under the same names.
func systemNames(path string, redirect bool) string {
	if redirect && os.Getenv("ProgramFiles(x86)") != "" {
		for _, name := range []string{"ProgramFiles", "CommonProgramFiles"} {
			if i := strings.Index(strings.ToLower(path), "%"+strings.ToLower(name)+"%"); i >= 0 {
				path = path[:i] + "%" + name + "(x86)%" + path[i+len(name)+2:]
			}
		}
	}
	if expanded, err := registry.ExpandString(path); err == nil {
		return expanded
	}
	return path
}

// place is where a path is looked at by this 64-bit program (TS-72). Sysnative is what 32-bit programs call System32.
// Without a SysWOW64, as in WinPE, there is nothing to redirect to.
func place(path string, redirect bool) string {
	path = systemNames(path, redirect)
	root, err := windows.GetSystemWindowsDirectory()
	if err != nil || unsafe.Sizeof(uintptr(0)) != 8 {
		return path
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	system, wow := filepath.Join(root, "System32"), filepath.Join(root, "SysWOW64")
	if rest, ok := below(full, filepath.Join(root, "Sysnative")); ok {
		return system + rest
	}
	rest, ok := below(full, system)
	if !ok || !redirect {
		return path
	}
	for _, e := range exempt {
		if _, ok := below(full, filepath.Join(system, e)); ok {
			return path
		}
	}
	if s, err := os.Stat(wow); err != nil || !s.IsDir() {
		return path
	}
	return wow + rest
}

// below is the rest of a path behind a folder, or nothing for the folder itself.
func below(path, folder string) (rest string, ok bool) {
	if len(path) < len(folder) || !strings.EqualFold(path[:len(folder)], folder) {
		return "", false
	}
	rest = path[len(folder):]
	return rest, rest == "" || rest[0] == '\\'
}

// maxVersionInfo bounds the version resource of a file.
const maxVersionInfo = 1 << 20

// fileVersion is the version of a program or library, four numbers; empty when the file carries none.
func fileVersion(path string) string {
	size, err := windows.GetFileVersionInfoSize(path, nil)
	if err != nil || size == 0 || size > maxVersionInfo {
		return ""
	}
	block := make([]byte, size)
	if err := windows.GetFileVersionInfo(path, 0, size, unsafe.Pointer(&block[0])); err != nil {
		return ""
	}
	var fixed *windows.VS_FIXEDFILEINFO
	length := uint32(unsafe.Sizeof(*fixed))
	if err := windows.VerQueryValue(unsafe.Pointer(&block[0]), `\`, unsafe.Pointer(&fixed), &length); err != nil || fixed == nil {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d.%d", fixed.FileVersionMS>>16, fixed.FileVersionMS&0xFFFF, fixed.FileVersionLS>>16, fixed.FileVersionLS&0xFFFF)
}
