package collect

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/sshd"
)

// hostKeys reads the public halves of the configured keys. The comment in them is
// left out: it tends to name the host.
func hostKeys(r *conffile.Reader, settings []kind.Setting) (keys []kind.HostKey) {
	i := slices.IndexFunc(settings, func(s kind.Setting) bool { return s.Name == "hostkey" })
	if i < 0 {
		return nil
	}
	paths := slices.Sorted(slices.Values(settings[i].Values))
	for _, path := range slices.Compact(paths) {
		text, _ := r.File(path + ".pub")
		words := strings.Fields(text)
		if len(words) < 2 {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(words[1])
		if err != nil {
			continue
		}
		sum := sha256.Sum256(blob)
		keys = append(keys, kind.HostKey{
			Path: path, Type: conffile.Clean(words[0]), Bits: bits(blob),
			Fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]),
		})
	}
	return keys
}

// bits is the length of a key whose type does not say it (RFC 4253, section 6.6:
// strings "ssh-rsa", exponent, modulus), 0 for others.
func bits(blob []byte) int64 {
	name, rest := sshString(blob)
	if string(name) != "ssh-rsa" {
		return 0
	}
	_, rest = sshString(rest)
	modulus, _ := sshString(rest)
	for len(modulus) > 0 && modulus[0] == 0 {
		modulus = modulus[1:]
	}
	n := int64(len(modulus)) * 8
	for mask := byte(0x80); len(modulus) > 0 && modulus[0]&mask == 0; mask >>= 1 {
		n--
	}
	return n
}

// sshString takes one string off the front, RFC 4251, section 5.
func sshString(b []byte) (s, rest []byte) {
	if len(b) < 4 {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil
	}
	return b[4 : 4+n], b[4+n:]
}
