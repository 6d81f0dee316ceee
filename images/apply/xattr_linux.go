package apply

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// extended writes extended attributes (file capabilities among them) and access
// control lists. A file system that has none gives a warning, not an error.
func (x *unpacker) extended(fd int, h *tar.Header, name string) error {
	for key, value := range h.PAXRecords {
		attr, data := "", []byte(value)
		switch {
		case strings.HasPrefix(key, "SCHILY.xattr."):
			attr = strings.TrimPrefix(key, "SCHILY.xattr.")
		case key == "SCHILY.acl.access", key == "SCHILY.acl.default":
			if value == "" {
				continue
			}
			var err error
			if data, err = parseACL(value); err != nil {
				x.warn("%s: access control list left out: %v", name, err)
				continue
			}
			attr = "system.posix_acl_" + strings.TrimPrefix(key, "SCHILY.acl.")
		default:
			continue
		}
		if attr == aclDefault && h.Typeflag == tar.TypeDir {
			x.times[len(x.times)-1].acl = data
			continue
		}
		if err := x.setAttribute(fd, attr, data, name); err != nil {
			return err
		}
	}
	return nil
}

const aclDefault = "system.posix_acl_default"

func (x *unpacker) setAttribute(fd int, attr string, data []byte, name string) error {
	err := unix.Fsetxattr(fd, attr, data, 0)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		x.warn("%s: the file system cannot keep attribute %s", name, attr)
		return nil
	}
	if err != nil {
		return fmt.Errorf("set attribute %.100q: %w", attr, err)
	}
	return nil
}

// Tags of the kernel's form of an access control list (posix_acl_xattr.h).
const (
	aclVersion  = 2
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
	aclNoID     = 0xffffffff
	aclMost     = 1024 // entries; file systems keep fewer
)

// parseACL turns the text that tar keeps ("user::rwx", "group:24:r-x") into the
// kernel's form. Names instead of numbers cannot be resolved here: the image's
// users are not the boot environment's.
func parseACL(text string) ([]byte, error) {
	out := binary.LittleEndian.AppendUint32(nil, aclVersion)
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' })
	if len(fields) > aclMost {
		return nil, fmt.Errorf("%d entries", len(fields))
	}
	for _, f := range fields {
		f, _, _ = strings.Cut(f, "#")
		f = strings.TrimSpace(f)
		if f == "" {
			continue
		}
		part := strings.Split(f, ":")
		if len(part) == 4 && part[1] != "" { // star's form: user:name:perms:id
			part = []string{part[0], part[3], part[2]}
		}
		if len(part) != 3 {
			return nil, fmt.Errorf("entry %.40q is not kind:who:rights", f)
		}
		tag, id := uint16(0), uint32(aclNoID)
		if part[1] != "" {
			n, err := strconv.ParseUint(part[1], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("entry %.40q names nobody by number", f)
			}
			id = uint32(n)
		}
		switch kind := part[0]; {
		case (kind == "user" || kind == "u") && part[1] == "":
			tag = aclUserObj
		case kind == "user" || kind == "u":
			tag = aclUser
		case (kind == "group" || kind == "g") && part[1] == "":
			tag = aclGroupObj
		case kind == "group" || kind == "g":
			tag = aclGroup
		case kind == "mask" || kind == "m":
			tag, id = aclMask, aclNoID
		case kind == "other" || kind == "o":
			tag, id = aclOther, aclNoID
		default:
			return nil, fmt.Errorf("entry of unknown kind %.40q", f)
		}
		perm := uint16(0)
		for _, c := range part[2] {
			switch c {
			case 'r':
				perm |= 4
			case 'w':
				perm |= 2
			case 'x':
				perm |= 1
			case '-':
			default:
				return nil, fmt.Errorf("unknown right in %.40q", f)
			}
		}
		out = binary.LittleEndian.AppendUint16(out, tag)
		out = binary.LittleEndian.AppendUint16(out, perm)
		out = binary.LittleEndian.AppendUint32(out, id)
	}
	return out, nil
}
