package collect

import (
	"bytes"
	"io"
	"strings"

	"assimilation/discovery"
)

// maxBinary bounds how much of the server is read; it has 1 to 3 MB.
const maxBinary = 16 << 20

// builtIn is what can be told from the server's binary without running it: its
// version and the lists of algorithms that hold where none are configured. They
// differ from one release to the next, and with what a distribution adds.
type builtIn struct {
	version                       string
	kex, ciphers, macs, keys, cas string
}

// scanBinary looks at the strings of an executable, each ended by a zero byte. The
// list for certificate authorities may be the end of that of keys: then linkers
// keep one string for both.
func scanBinary(r io.Reader) (b builtIn) {
	b.scan(r)
	if i := strings.Index(b.keys, ",ssh-ed25519,"); b.cas == "" && i >= 0 {
		b.cas = b.keys[i+1:]
	}
	return b
}

func (b *builtIn) scan(r io.Reader) {
	const longest = 2048
	buf := make([]byte, 32<<10)
	var begun []byte // of a string at the end of the last read
	for read := 0; read < maxBinary; {
		n, err := r.Read(buf)
		read += n
		for rest := buf[:n]; len(rest) > 0; {
			end := bytes.IndexByte(rest, 0)
			if end < 0 {
				if len(begun)+len(rest) <= longest {
					begun = append(begun, rest...)
				}
				break
			}
			if len(begun) > 0 {
				if len(begun)+end <= longest {
					b.look(append(begun, rest[:end]...))
				}
				begun = begun[:0]
			} else if end <= longest {
				b.look(rest[:end])
			}
			rest = rest[end+1:]
		}
		if err != nil {
			return
		}
	}
}

func (b *builtIn) look(s []byte) {
	if len(s) < len("OpenSSH_1.1p1") {
		return
	}
	if b.version == "" && bytes.HasPrefix(s, []byte("OpenSSH_")) && isVersion(s[len("OpenSSH_"):]) {
		b.version = discovery.Clean(string(s), 64)
		return
	}
	if bytes.Count(s, []byte(",")) < 3 || !isList(s) {
		return
	}
	has := func(part string) bool { return bytes.Contains(s, []byte(part)) }
	switch {
	case has("*"):
	case has("aes256-ctr"):
		first(&b.ciphers, s)
	case has("hmac-sha2"):
		first(&b.macs, s)
	case has("curve25519-sha256") && !has("gss-"):
		first(&b.kex, s)
	case has("-cert-v01@openssh.com") && has("ssh-ed25519,"):
		first(&b.keys, s)
	case has("ssh-ed25519,"):
		first(&b.cas, s)
	}
}

func first(list *string, s []byte) {
	if *list == "" {
		*list = string(s)
	}
}

// isVersion accepts "9.2p1..." and no pattern or format such as "9.2 %s".
func isVersion(s []byte) bool {
	p := bytes.IndexByte(s, 'p')
	return p >= 3 && p <= 5 && strings.Trim(string(s[:p]), "0123456789.") == "" && !bytes.ContainsAny(s, "*%,")
}

func isList(s []byte) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && bytes.IndexByte([]byte("@.,-"), c) < 0 {
			return false
		}
	}
	return true
}
