package machine

import (
	"context"
	"strings"
)

// NetworkFolders connects shares of other machines.
type NetworkFolders interface {
	// Connect makes a share reachable until the next restart of the machine and returns the folder in which it appears
	// here. Connecting the same share again with the same letter is no error. The password reaches no command line, no
	// environment and no file that outlives the call.
	Connect(ctx context.Context, request FolderRequest) (dir string, err error)
	// Disconnect ends what Connect made of the same request; that there is nothing is no error.
	Disconnect(ctx context.Context, request FolderRequest) error
}

// FolderRequest is one share. Path is a UNC path, Letter such as "Z:" or empty.
type FolderRequest struct {
	Path     string // \\server\share or \\server\share\folder
	Letter   string
	Account  string // DOMAIN\user, user@domain or user
	Password string
	Port     int  // 0 is 445
	ReadOnly bool // nothing can be written there from here
	Sealed   bool // refused when the server cannot encrypt
}

// NetworkFolder is a connected share as the run knows it. Connections end with a restart, so they are in no checkpoint.
type NetworkFolder struct {
	Path   string // UNC
	Letter string // "Z:", empty when it has none
	Dir    string // where it appears on this machine
}

// Connected notes a share; one of the same letter, or of the same path without a letter, is replaced.
func (t *Table) Connected(f NetworkFolder) {
	for i, old := range t.folders {
		if f.Letter != "" && old.Letter == f.Letter || f.Letter == "" && old.Letter == "" && strings.EqualFold(old.Path, f.Path) {
			t.folders[i] = f
			return
		}
	}
	t.folders = append(t.folders, f)
}

// Folder finds a connected share by its letter ("Z:", "z", "Z:\"); nil when there is none.
func (t *Table) Folder(letter string) *NetworkFolder {
	letter = strings.ToUpper(strings.TrimRight(strings.TrimSpace(letter), `:\/`))
	for i := range t.folders {
		if letter != "" && t.folders[i].Letter == letter+":" {
			return &t.folders[i]
		}
	}
	return nil
}

// NetworkPath is the place on this machine of a path on a connected share, written with its letter (Z:\images\a.wim) or as
// a UNC path (\\server\share\images\a.wim). It is empty when the path is on no connected share, or leads out of it.
func (t *Table) NetworkPath(path string) string {
	path = strings.ReplaceAll(strings.TrimSpace(path), "/", `\`)
	for _, f := range t.folders {
		for _, prefix := range []string{f.Letter, strings.TrimRight(f.Path, `\`)} {
			if prefix == "" || len(path) < len(prefix) || !strings.EqualFold(path[:len(prefix)], prefix) {
				continue
			}
			rest := path[len(prefix):]
			if rest != "" && rest[0] != '\\' {
				continue
			}
			return joinInside(f.Dir, rest)
		}
	}
	return ""
}

func joinInside(dir, rest string) string {
	for part := range strings.SplitSeq(rest, `\`) {
		switch part {
		case "", ".":
		case "..":
			return ""
		default:
			dir += "/" + part
		}
	}
	return dir
}
