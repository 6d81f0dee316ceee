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

// translateACL puts the numbers that people have here in the place of those they had. An entry of somebody who was not
// captured is left out and counted: here the number may be somebody else's. Root is the same everywhere.
func (x *restore) translateACL(list []byte) (out []byte, dropped int, err error) {
	if len(list) < aclHead || (len(list)-aclHead)%aclEntry != 0 || binary.LittleEndian.Uint32(list) != aclVersion {
		return nil, 0, errors.New("it is no access control list that this version knows")
	}
	out = append(out, list[:aclHead]...)
	for rest := list[aclHead:]; len(rest) > 0; rest = rest[aclEntry:] {
		number, known := x.numberHere(binary.LittleEndian.Uint16(rest), binary.LittleEndian.Uint32(rest[4:]))
		if !known {
			dropped++
			continue
		}
		out = append(out, rest[:4]...)
		out = binary.LittleEndian.AppendUint32(out, number)
	}
	return out, dropped, nil
}

// numberHere is what the number of an entry is on this system; known is false for a person or group that was not captured.
func (x *restore) numberHere(tag uint16, number uint32) (here uint32, known bool) {
	if tag != aclUser && tag != aclGroup || number == 0 {
		return number, true
	}
	for _, p := range x.places {
		switch {
		case tag == aclUser && int(number) == p.from.UID:
			return uint32(p.to.UID), true //nolint:gosec // of passwd, below lastPerson
		case tag == aclGroup && int(number) == p.from.GID:
			return uint32(p.to.GID), true //nolint:gosec // of passwd
		}
	}
	return 0, false
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
	list, dropped, err := x.translateACL([]byte(value))
	if dropped > 0 {
		x.note("/%.200s: %d entries of its access control list were left out, they are of people or groups that were not captured; set them again", file, dropped)
	}
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
