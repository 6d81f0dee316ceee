package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// found is what a command line starts: a program, the command line it gets, and nothing else.
type found struct{ path, line string }

// extensions are tried in this order where a command line gives none (TS-100).
var extensions = [...]string{".com", ".exe", ".bat"}

// resolve finds the program of a command line. It is looked for in the working folder first (TS-101), then in the system's
// folders, then in PATH. A path with blanks that lacks its quotes is understood as CreateProcess does: the shortest
// beginning that is a file counts.
func resolve(line, dir string, redirect bool) (found, error) {
	line = strings.TrimSpace(line)
	if line == "" {
		return found{}, errors.New("the command line names no program")
	}
	if rest, ok := strings.CutPrefix(line, `"`); ok {
		name, tail, _ := strings.Cut(rest, `"`)
		if strings.TrimSpace(name) == "" {
			return found{}, errors.New("the command line names no program")
		}
		path, err := locate(name, dir, redirect)
		if err != nil {
			return found{}, err
		}
		return start(path, tail)
	}
	var first error
	for end := range len(line) + 1 {
		if end < len(line) && line[end] != ' ' && line[end] != '\t' || end == 0 {
			continue
		}
		path, err := locate(line[:end], dir, redirect)
		if err == nil {
			return start(path, line[end:])
		}
		if first == nil {
			first = err
		}
		if !strings.ContainsAny(line[:end], `\/`) {
			break // a bare name has no blanks
		}
	}
	return found{}, first
}

// start says how a file is started with the rest of its command line.
func start(path, tail string) (found, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".exe", ".com":
		return found{path, `"` + path + `"` + tail}, nil
	case ".bat", ".cmd":
		// With /s cmd takes away the outer pair of quotes and nothing else.
		shell := filepath.Join(systemFolder(), "cmd.exe")
		return found{shell, `"` + shell + `" /d /s /c ""` + path + `"` + tail + `"`}, nil
	}
	return associated(path, tail)
}

// locate finds a file by name or path.
func locate(name, dir string, redirect bool) (string, error) {
	name = filepath.FromSlash(strings.TrimSpace(name))
	var folders []string
	switch {
	case filepath.IsAbs(name):
		folders = []string{""}
	case strings.ContainsAny(name, `\/`) || filepath.VolumeName(name) != "":
		folders = []string{dir}
	default:
		folders = []string{dir, systemFolder(), windowsFolder()}
		if dir == "" {
			folders = folders[1:]
		}
		folders = append(folders, filepath.SplitList(os.Getenv("PATH"))...)
	}
	for _, folder := range folders {
		full := name
		if folder != "" {
			full = filepath.Join(strings.Trim(folder, `"`), name)
		}
		for _, candidate := range candidates(full) {
			if path, ok := seen(candidate, redirect); ok {
				if absolute, err := filepath.Abs(path); err == nil {
					path = absolute
				}
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("start the program: %w", exec.ErrNotFound)
}

func candidates(path string) []string {
	if filepath.Ext(path) != "" {
		return []string{path}
	}
	var list []string
	for _, e := range extensions {
		list = append(list, path+e)
	}
	return list
}

// seen is where a file is in the view of a 64-bit or, redirected, of a 32-bit program (TS-72).
func seen(path string, redirect bool) (string, bool) {
	for _, p := range views(path, redirect) {
		if s, err := os.Stat(p); err == nil && s.Mode().IsRegular() {
			return p, true
		}
	}
	return "", false
}

// views are the places where a path may be. Sysnative is what 32-bit programs call System32; for others it does not exist.
// What only the 64-bit folder has, such as dism.exe on some systems, is found there although Configuration Manager's
// 32-bit engine does not see it.
func views(path string, redirect bool) []string {
	if rest, ok := cutFolder(path, filepath.Join(windowsFolder(), "Sysnative")); ok {
		return []string{systemFolder() + rest}
	}
	if rest, ok := cutFolder(path, systemFolder()); ok && redirect {
		return []string{filepath.Join(windowsFolder(), "SysWOW64") + rest, path}
	}
	return []string{path}
}

func cutFolder(path, folder string) (rest string, ok bool) {
	if len(path) <= len(folder) || !strings.EqualFold(path[:len(folder)], folder) || path[len(folder)] != '\\' {
		return "", false
	}
	return path[len(folder):], true
}

func windowsFolder() string {
	if dir, err := windows.GetSystemWindowsDirectory(); err == nil {
		return dir
	}
	return os.Getenv("SystemRoot")
}

func systemFolder() string {
	if dir, err := windows.GetSystemDirectory(); err == nil {
		return dir
	}
	return filepath.Join(windowsFolder(), "System32")
}

// associated starts a document with the program that its extension belongs to (TS-100).
func associated(path, tail string) (found, error) {
	template, err := association(filepath.Ext(path))
	if err != nil {
		return found{}, fmt.Errorf("start the program: no program is associated with %s files: %w", filepath.Ext(path), fs.ErrNotExist)
	}
	line := strings.NewReplacer("%1", path, "%L", path, "%l", path, "%V", path, "%*", strings.TrimSpace(tail)).Replace(template)
	if !strings.Contains(template, "%*") {
		line += tail
	}
	program, _, _ := strings.Cut(strings.TrimSpace(template), " ")
	if quoted, ok := strings.CutPrefix(strings.TrimSpace(template), `"`); ok {
		program, _, _ = strings.Cut(quoted, `"`)
	}
	full, err := locate(program, "", false)
	if err != nil {
		return found{}, err
	}
	return found{full, line}, nil
}

// association asks for the command by which files of an extension are opened.
func association(extension string) (string, error) {
	const command = 1 // ASSOCSTR_COMMAND
	ext, err := windows.UTF16PtrFromString(extension)
	if err != nil {
		return "", err
	}
	query := windows.NewLazySystemDLL("shlwapi.dll").NewProc("AssocQueryStringW")
	if err := query.Find(); err != nil {
		return "", err
	}
	buffer := make([]uint16, 2048)
	size := uint32(len(buffer))
	if r, _, _ := query.Call(0, command, uintptr(unsafe.Pointer(ext)), 0, uintptr(unsafe.Pointer(&buffer[0])), uintptr(unsafe.Pointer(&size))); r != 0 {
		return "", windows.Errno(r)
	}
	return windows.UTF16ToString(buffer), nil
}
