package collect

import (
	"encoding/binary"
	"strconv"
)

// The form of an ACL as an extended attribute: a version in 4 bytes, then entries of
// 8, little-endian (linux/posix_acl_xattr.h).
const (
	aclVersion = 2
	aclEntry   = 8
)

// appendACL adds the entries of an attribute in the form of getfacl(1), with
// numbers for names. What is no ACL adds none.
func appendACL(acl []string, prefix string, b []byte) []string {
	if len(b) < 4 || binary.LittleEndian.Uint32(b) != aclVersion {
		return acl
	}
	for b = b[4:]; len(b) >= aclEntry; b = b[aclEntry:] {
		tag, permissions, id := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])
		who := ""
		switch tag {
		case 0x01:
			who = "user::"
		case 0x02:
			who = "user:" + strconv.FormatUint(uint64(id), 10) + ":"
		case 0x04:
			who = "group::"
		case 0x08:
			who = "group:" + strconv.FormatUint(uint64(id), 10) + ":"
		case 0x10:
			who = "mask::"
		case 0x20:
			who = "other::"
		default:
			continue
		}
		rwx := []byte("---")
		for i, c := range []byte("rwx") {
			if permissions&(4>>i) != 0 {
				rwx[i] = c
			}
		}
		acl = append(acl, prefix+who+string(rwx))
	}
	return acl
}
