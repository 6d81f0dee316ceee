package apply

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ntfsACL is how NTFS-3G shows a file's security descriptor.
const ntfsACL = "system.ntfs_acl"

// Security identifiers, in the form of a descriptor.
var (
	sidSystem         = sid(18)
	sidAdministrators = sid(32, 544)
	sidUsers          = sid(32, 545)
)

// sid is one of the authority NT: S-1-5-...
func sid(parts ...uint32) []byte {
	b := []byte{1, byte(len(parts)), 0, 0, 0, 0, 0, 5}
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint32(b, p)
	}
	return b
}

// Rights of a file or folder.
const (
	fullControl = 0x1f01ff
	readExecute = 0x1200a9
)

// Private keeps a folder on a mounted NTFS volume from everybody but the system and administrators of Windows; on other file
// systems modes do that.
func Private(path string) error { return protect(path, false) }

// protect gives a file or folder of a mounted NTFS volume a security descriptor of its own, which what Windows makes in
// the folder later inherits: the system and administrators may do everything and, when users are to read it, users may do
// that. Without it NTFS-3G leaves files that everybody may change. What is no NTFS by NTFS-3G, as in tests, has no such
// thing, and modes protect it.
func protect(path string, users bool) error {
	err := unix.Setxattr(path, ntfsACL, descriptor(users), 0)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPERM) && !onFUSE(path) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("set the access list of %s: %w", path, err)
	}
	return nil
}

func onFUSE(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == 0x65735546 // FUSE_SUPER_MAGIC
}

// descriptor is a self-relative security descriptor with a protected list (SE_DACL_PROTECTED).
func descriptor(users bool) []byte {
	allow := func(rights uint32, to []byte) []byte {
		ace := []byte{0, 3, byte(8 + len(to)), 0} // allowed; files and folders below inherit it
		return append(binary.LittleEndian.AppendUint32(ace, rights), to...)
	}
	count, entries := byte(2), append(allow(fullControl, sidSystem), allow(fullControl, sidAdministrators)...)
	if users {
		count, entries = 3, append(entries, allow(readExecute, sidUsers)...)
	}
	list := append([]byte{2, 0, byte(8 + len(entries)), 0, count, 0, 0, 0}, entries...)
	b := []byte{1, 0, 0x04, 0x90}
	owner := uint32(20)
	group := owner + uint32(len(sidAdministrators))
	for _, at := range []uint32{owner, group, 0, group + uint32(len(sidSystem))} {
		b = binary.LittleEndian.AppendUint32(b, at)
	}
	return append(append(append(b, sidAdministrators...), sidSystem...), list...)
}
