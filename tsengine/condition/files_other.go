//go:build !windows

package condition

// place is where a path is looked at.
func place(path string, _ bool) string { return path }

// fileVersion is empty: files carry no version here.
func fileVersion(string) string { return "" }
