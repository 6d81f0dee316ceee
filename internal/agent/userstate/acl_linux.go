package userstate

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// The extended attributes in which Linux keeps access control lists, and their form (posix_acl_xattr.h): a version, then
// entries of tag, rights and the number of a user or group.
const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default" // what new files in a folder get
	aclVersion = 2
	aclHead    = 4
	aclEntry   = 8
	aclUser    = 0x02
	aclGroup   = 0x08
)

// translateACL puts the numbers that people have here in the place of those they had; numbers of nobody who was captured
// stay.
func (x *restore) translateACL(list []byte) ([]byte, error) {
	if len(list) < aclHead || (len(list)-aclHead)%aclEntry != 0 || binary.LittleEndian.Uint32(list) != aclVersion {
		return nil, errors.New("it is no access control list that this version knows")
	}
	out := append([]byte(nil), list...)
	for at := aclHead; at < len(out); at += aclEntry {
		id := out[at+4 : at+aclEntry]
		number := int(binary.LittleEndian.Uint32(id))
		for _, p := range x.places {
			switch tag := binary.LittleEndian.Uint16(out[at:]); {
			case tag == aclUser && number == p.from.UID:
				binary.LittleEndian.PutUint32(id, uint32(p.to.UID)) //nolint:gosec // of passwd, below lastPerson
			case tag == aclGroup && number == p.from.GID:
				binary.LittleEndian.PutUint32(id, uint32(p.to.GID)) //nolint:gosec // of passwd
			default:
				continue
			}
			break
		}
	}
	return out, nil
}

// setACL sets the list of that name; with none (value is empty) it takes away what the file inherited from its folder. A file system without lists
// loses it, which is noted.
func (x *restore) setACL(fd int, file, name, value string) error {
	if value == "" {
		if err := unix.Fremovexattr(fd, name); err != nil && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("remove an inherited access control list: %w", err)
		}
		return nil
	}
	list, err := x.translateACL([]byte(value))
	if err == nil {
		err = unix.Fsetxattr(fd, name, list, 0)
	}
	if errors.Is(err, unix.ENOTSUP) {
		x.note("/%.200s lost its access control list: the file system here keeps none", file)
		return nil
	}
	if err != nil {
		return fmt.Errorf("set access control list: %w", err)
	}
	return nil
}
