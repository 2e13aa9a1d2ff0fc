package uplink

import (
	"crypto/sha256"
	"fmt"

	"assimilation/wire"
)

// Program is a file that a relay may hand out to hosts of its site: a probe for
// one platform, or what belongs to it. The orders that name it are signed by the
// site's key, so its bytes may come from anywhere.
//
// Hosts ask for it over TLS. They know the relay by its key alone: SHA-256 of the
// SubjectPublicKeyInfo of its certificate (RFC 7469, 2.4), which the service
// learns from the relay (OrdersRequest.InstallKey) and shows in the install line.
type Program struct {
	Name    string `cbor:"1,keyasint" json:"name"`
	Size    int64  `cbor:"2,keyasint" json:"size"` // bytes
	Hash    []byte `cbor:"3,keyasint" json:"hash"` // SHA-256
	Version string `cbor:"4,keyasint,omitempty" json:"version"`
}

// ProgramsHash names a list of programs, in its order.
func ProgramsHash(list []Program) [HashSize]byte {
	hash := sha256.New()
	for _, p := range list {
		fmt.Fprintf(hash, "%q %d %x %q\n", p.Name, p.Size, p.Hash, p.Version)
	}
	return [HashSize]byte(hash.Sum(nil))
}

func checkPrograms(list []Program) error {
	if len(list) > MaxPrograms {
		return refuse(wire.TooLarge, "too many programs")
	}
	names := make(map[string]bool, len(list))
	for _, p := range list {
		switch {
		case !programName(p.Name) || names[p.Name]:
			return malformed("impossible or double name of a program")
		case p.Size <= 0 || p.Size > MaxProgram || len(p.Hash) != HashSize:
			return malformed("program of %d bytes, or with a hash of another size", p.Size)
		case !shortText(p.Version, MaxVersion):
			return malformed("version is too long or not plain text")
		}
		names[p.Name] = true
	}
	return nil
}

// programName keeps names from being anything but the name of a file: it becomes
// one on hosts, a part of URLs and a word of the shell.
func programName(name string) bool {
	if len(name) == 0 || len(name) > MaxVersion || name[0] == '.' || name[0] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}
