package tlshello

import "encoding/binary"

// Cipher suites that are offered. Of 1.2 all that servers still have: none of them is
// used.
var (
	ciphers12 = []uint16{
		0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc00a, 0xc013, 0xc014, // ECDHE
		0x009e, 0x009f, 0xccaa, 0x0033, 0x0039, 0x009c, 0x009d, 0x002f, 0x0035, 0x000a, // DHE, RSA
		0x00ff, // that renegotiation is secure (RFC 5746)
	}
	ciphers13 = []uint16{aes128, chacha20}
)

const (
	aes128   = 0x1301
	chacha20 = 0x1303
)

// Numbers of extensions (RFC 8446, 4.2).
const (
	extServerName        = 0
	extGroups            = 10
	extPointFormats      = 11
	extSignatures        = 13
	extSupportedVersions = 43
	extKeyShare          = 51
)

const x25519 = 0x001d

// signatures are those that a server may have its certificate for.
var signatures = []uint16{0x0403, 0x0804, 0x0807, 0x0503, 0x0805, 0x0808, 0x0603, 0x0806, 0x0401, 0x0501, 0x0601, 0x0809, 0x080a, 0x080b, 0x0203, 0x0201}

// hello is a ClientHello (RFC 8446, 4.1.2).
type hello struct {
	random  []byte
	session []byte
	ciphers []uint16
	name    string
	share   []byte // a key of X25519: it is one of TLS 1.3
}

// message is the handshake message.
func (h hello) message() []byte {
	body := append([]byte{3, 3}, h.random...)
	body = append(body, sized8(h.session)...)
	body = append(body, sized16(numbers(h.ciphers))...)
	body = append(body, 1, 0) // no compression
	var extensions []byte
	add := func(number uint16, content []byte) {
		extensions = binary.BigEndian.AppendUint16(extensions, number)
		extensions = append(extensions, sized16(content)...)
	}
	if h.name != "" {
		add(extServerName, sized16(append([]byte{0}, sized16([]byte(h.name))...)))
	}
	add(extSignatures, sized16(numbers(signatures)))
	if h.share == nil {
		add(extGroups, sized16(numbers([]uint16{x25519, 23, 24, 25})))
		add(extPointFormats, []byte{1, 0})
	} else {
		add(extGroups, sized16(numbers([]uint16{x25519})))
		add(extSupportedVersions, []byte{2, 3, 4})
		add(extKeyShare, sized16(append(binary.BigEndian.AppendUint16(nil, x25519), sized16(h.share)...)))
	}
	body = append(body, sized16(extensions)...)
	return append([]byte{typeClientHello, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

// record puts a handshake message into a record.
func record(message []byte) []byte {
	return append([]byte{recordHandshake, 3, 1}, sized16(message)...)
}

func sized8(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }

func sized16(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func numbers(list []uint16) (out []byte) {
	for _, n := range list {
		out = binary.BigEndian.AppendUint16(out, n)
	}
	return out
}
