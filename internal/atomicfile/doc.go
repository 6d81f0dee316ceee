// Package atomicfile replaces a file so that a crash at any instant leaves the
// old or the new content, never a mixture: temporary name, sync, rename, sync of
// the folder.
package atomicfile
