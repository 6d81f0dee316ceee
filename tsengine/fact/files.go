package fact

import (
	"io/fs"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/condition"
)

// FilePath is the one spelling of a path: lower case, backslashes, none at the end, no doubled ones. The variables that
// Windows itself sets are those of a system on C:, or X: in WinPE.
func (s *Sheet) FilePath(path string) string {
	drive := "c:"
	if s.Environment == "winpe" {
		drive = "x:"
	}
	path = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(path), "/", `\`))
	if strings.Contains(path, "%") {
		path = strings.NewReplacer("%systemdrive%", drive, "%systemroot%", drive+`\windows`, "%windir%", drive+`\windows`,
			"%programfiles%", drive+`\program files`, "%programw6432%", drive+`\program files`, "%programfiles(x86)%", drive+`\program files (x86)`,
			"%commonprogramfiles%", drive+`\program files\common files`, "%programdata%", drive+`\programdata`,
			"%allusersprofile%", drive+`\programdata`, "%public%", drive+`\users\public`, "%temp%", drive+`\windows\temp`,
			"%tmp%", drive+`\windows\temp`).Replace(path)
	}
	share := strings.HasPrefix(path, `\\`)
	for strings.Contains(path, `\\`) {
		path = strings.ReplaceAll(path, `\\`, `\`)
	}
	if path = strings.TrimRight(path, `\`); share {
		path = `\` + path
	}
	return path
}

// Stat implements condition.Files. A sheet that does not speak of files answers condition.ErrUnknown; one that does has
// no others than it lists, and the folders above them.
func (s *Sheet) Stat(path string) (condition.Info, error) {
	if s.Files == nil {
		return condition.Info{}, condition.ErrUnknown
	}
	id := s.FilePath(path)
	if f, ok := s.Files[id]; ok {
		return condition.Info{Folder: f.Folder, Modified: f.Modified, Version: f.Version}, nil
	}
	for have := range s.Files {
		if strings.HasPrefix(have, id+`\`) {
			return condition.Info{Folder: true}, nil
		}
	}
	return condition.Info{}, fs.ErrNotExist
}

// files reads paths: a list of paths or of maps with a path, or a map of path to what is known.
func (s *Sheet) files(t *tree, folders bool) error {
	if s.Files == nil {
		s.Files = map[string]File{}
	}
	switch {
	case t.null():
		return nil
	case t.kind == mapping:
		for _, e := range t.entries {
			if err := s.file(e.key, e.value, folders); err != nil {
				return err
			}
		}
		return nil
	case t.kind == list:
		for _, one := range t.list {
			if one.kind == scalar {
				if err := s.file(one.text, &tree{line: one.line}, folders); err != nil {
					return err
				}
				continue
			}
			path := ""
			for _, e := range one.entries {
				if k := strings.ToLower(e.key); k == "path" || k == "name" {
					path = e.value.text
				}
			}
			if path == "" && len(one.entries) == 1 && strings.ContainsAny(one.entries[0].key, `\/:%.`) { // - C:\a.txt: {version: 1.0}
				if err := s.file(one.entries[0].key, one.entries[0].value, folders); err != nil {
					return err
				}
				continue
			}
			if err := s.file(path, one, folders); err != nil {
				return err
			}
		}
		return nil
	}
	return wrong(t.line, "files must be a list of paths, or a map of path: what is known of it")
}

func (s *Sheet) file(path string, t *tree, folder bool) error {
	path = strings.TrimSpace(path)
	if path == "" {
		return wrong(t.line, "a file needs a path")
	}
	f := File{Path: path, Folder: folder || strings.HasSuffix(path, `\`) || strings.HasSuffix(path, "/")}
	switch {
	case t.null():
	case t.kind == scalar:
		switch v := t.value.(type) {
		case bool:
			if !v { // C:\a.txt: false, it is not there
				return nil
			}
		default:
			switch text := strings.ToLower(strings.TrimSpace(t.text)); text {
			case "folder", "directory", "dir":
				f.Folder = true
			case "file", "exists", "":
			default:
				f.Version = t.text // C:\a.exe: 1.2.3.4
			}
		}
	default:
		if there, err := f.describe(t); err != nil || !there {
			return err
		}
	}
	s.Files[s.FilePath(path)] = f
	return nil
}

// describe reads what is known of a path; there is false when the sheet says that it does not exist.
func (f *File) describe(t *tree) (there bool, err error) {
	m, err := fields(t, "path|name", "exists|present", "version|fileversion", "modified|date|datetime|timestamp|lastmodified|time", "size|bytes", "folder|directory|isfolder|dir", "type|kind")
	if err != nil {
		return false, err
	}
	if e := m["exists"]; e != nil {
		is, ok := e.value.(bool)
		if !ok {
			return false, wrong(e.line, "exists is true or false")
		}
		if !is {
			return false, nil
		}
	}
	f.Version = textOf(m["version"])
	if d := m["modified"]; d != nil && !d.null() {
		if f.Modified, err = readTime(d.text); err != nil {
			return false, wrong(d.line, "%v", err)
		}
	}
	if n := m["size"]; n != nil {
		f.Size, _ = n.value.(int64)
	}
	if d := m["folder"]; d != nil {
		folder, ok := d.value.(bool)
		if !ok {
			return false, wrong(d.line, "folder is true or false")
		}
		f.Folder = f.Folder || folder
	}
	switch strings.ToLower(textOf(m["type"])) {
	case "folder", "directory", "dir":
		f.Folder = true
	}
	return true, nil
}

// readTime reads what people write, and CIM times. Without a zone it is UTC, as conditions are (TS-71).
func readTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.UTC); err == nil {
			return t.UTC(), nil
		}
	}
	return condition.ParseTime(s)
}
