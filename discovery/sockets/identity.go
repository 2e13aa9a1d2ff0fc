package sockets

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// Identity is half a SHA-256 over what tells two services of a host apart, each
// part preceded by its length, in hexadecimal. The graph keys services by it, and
// other kinds name a service by it. It is a disk format.
func (s Service) Identity() string {
	h := sha256.New()
	part := func(text string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
		h.Write([]byte(text))
	}
	part(s.Exe)
	part(strconv.Itoa(len(s.Argv)))
	for _, arg := range s.Argv {
		part(arg)
	}
	part(strconv.FormatInt(s.UID, 10))
	part(strconv.FormatInt(s.GID, 10))
	part(s.Container)
	if s.Exe == "" {
		part(s.Name) // the process is not known: "kernel" and "unknown" are two
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
