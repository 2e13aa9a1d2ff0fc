package certificate

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// Tags of DER (X.690, 8.1.2) that occur in a certificate.
const (
	boolean     = 0x01
	integer     = 0x02
	bitString   = 0x03
	octetString = 0x04
	identifier  = 0x06
	bmpString   = 0x1e
	latinString = 0x14 // T.61, in practice Latin-1
	utcTime     = 0x17
	longTime    = 0x18
	sequence    = 0x30
	context0    = 0xa0
	context3    = 0xa3
)

// der is what is left of the content of a value.
type der []byte

// next splits off a value. Lengths of more than three bytes do not occur in what
// is small enough to be read.
func (d *der) next() (tag byte, content der, ok bool) {
	b := *d
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, nil, false
	}
	tag, size, at := b[0], int(b[1]), 2
	if size >= 0x80 {
		n := size &^ 0x80
		if n == 0 || n > 3 || len(b) < 2+n {
			return 0, nil, false
		}
		size = 0
		for _, c := range b[2 : 2+n] {
			size = size<<8 | int(c)
		}
		at += n
	}
	if size > len(b)-at {
		return 0, nil, false
	}
	*d = b[at+size:]
	return tag, b[at : at+size], true
}

// take splits off a value of that tag; of another it takes nothing.
func (d *der) take(want byte) (content der, ok bool) {
	rest := *d
	tag, content, ok := rest.next()
	if !ok || tag != want {
		return nil, false
	}
	*d = rest
	return content, true
}

// object is an object identifier in numbers and dots (X.690, 8.19).
func (d der) object() string {
	var out []byte
	n := uint64(0)
	for i, c := range d {
		if n > 1<<56 {
			return ""
		}
		n = n<<7 | uint64(c&0x7f)
		if c&0x80 != 0 {
			if i == len(d)-1 {
				return ""
			}
			continue
		}
		if out == nil {
			first := min(n/40, 2)
			out = strconv.AppendUint(out, first, 10)
			n -= first * 40
		}
		out = append(out, '.')
		out = strconv.AppendUint(out, n, 10)
		n = 0
	}
	return string(out)
}

// text is what a string says.
func text(tag byte, content der) string {
	var out []rune
	switch tag {
	case bmpString:
		units := make([]uint16, len(content)/2)
		for i := range units {
			units[i] = uint16(content[2*i])<<8 | uint16(content[2*i+1])
		}
		out = utf16.Decode(units)
	case latinString:
		for _, c := range content {
			out = append(out, rune(c))
		}
	default:
		return strings.ToValidUTF8(string(content), "\uFFFD")
	}
	return string(out)
}

// moment is a time as RFC 3339 has it (RFC 5280, 4.1.2.5).
func moment(tag byte, content der) (string, bool) {
	s := string(content)
	switch {
	case tag == utcTime && len(s) == 13 && s < "50":
		s = "20" + s
	case tag == utcTime && len(s) == 13:
		s = "19" + s
	}
	if len(s) != 15 || s[14] != 'Z' || strings.Trim(s[:14], "0123456789") != "" {
		return "", false
	}
	return s[:4] + "-" + s[4:6] + "-" + s[6:8] + "T" + s[8:10] + ":" + s[10:12] + ":" + s[12:14] + "Z", true
}
