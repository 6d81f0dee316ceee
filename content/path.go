package content

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxPath keeps a file's path, below the folder it is put in, within what every file system takes (PATH_MAX is 4096).
	maxPath = 2048
	// maxElement is NAME_MAX of the common file systems.
	maxElement = 255
)

// CheckPath says whether name may stand in a manifest: relative, slash separated, clean, without "..", backslashes or
// control characters, and short enough for every file system. Names that only Windows cannot take (a colon, "NUL") pass;
// the client refuses those on Windows.
func CheckPath(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("empty file name")
	case len(name) > maxPath:
		return fmt.Errorf("file name of %d bytes, at most %d are allowed", len(name), maxPath)
	case !utf8.ValidString(name):
		return fmt.Errorf("file name %q is not valid UTF-8", name)
	case strings.Contains(name, `\`):
		return fmt.Errorf("file name %q has a backslash", name)
	case strings.HasPrefix(name, "/"):
		return fmt.Errorf("file name %q is absolute", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("file name %q has a control character", name)
	case path.Clean(name) != name:
		return fmt.Errorf("file name %q is not in its shortest form", name)
	}
	for element := range strings.SplitSeq(name, "/") {
		// Windows drops dots and spaces at the end of a name, so ".. " would be the parent folder there.
		if strings.TrimRight(element, ". ") == "" {
			return fmt.Errorf("file name %q leaves its folder or has an element of dots and spaces only", name)
		}
		if len(element) > maxElement {
			return fmt.Errorf("file name %q has an element of %d bytes, at most %d are allowed", name, len(element), maxElement)
		}
	}
	return nil
}

// foldPath maps names that a case-insensitive file system would take for one file to one key.
func foldPath(name string) string {
	elements := strings.Split(strings.ToLower(strings.ToUpper(name)), "/")
	for i, element := range elements {
		elements[i] = strings.TrimRight(element, ". ")
	}
	return strings.Join(elements, "/")
}

// checkPathSet refuses names that would collide on some file system, and a name that is a file here and a folder there.
func checkPathSet(files []File) error {
	names := make(map[string]string, len(files))
	for _, file := range files {
		key := foldPath(file.Path)
		if other, ok := names[key]; ok {
			return fmt.Errorf("files %q and %q have the same name where case does not count", other, file.Path)
		}
		names[key] = file.Path
	}
	for key, name := range names {
		for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
			if other, ok := names[dir]; ok {
				return fmt.Errorf("%q is a file, but %q needs it as a folder", other, name)
			}
		}
	}
	return nil
}
