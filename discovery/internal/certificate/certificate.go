// Package certificate reads of X.509 certificates (RFC 5280) what is a fact of a
// host. It verifies nothing. The package crypto/x509 would cost the probe half a
// megabyte.
package certificate

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
)

// Certificate is what a certificate says.
type Certificate struct {
	Subject, Issuer     string // as RFC 4514 writes names
	Names               []string
	Serial              string // hexadecimal
	NotBefore, NotAfter string // RFC 3339
	Key                 string
	Bits                int64
	Signature           string
	Authority           bool
	OwnIssuer           bool
}

var errMalformed = errors.New("not a certificate")

const (
	begin = "-----BEGIN CERTIFICATE-----"
	end   = "-----END CERTIFICATE-----"
)

// Count is how many certificates in PEM a file has.
func Count(file string) int { return strings.Count(file, begin) }

// Split returns the certificates of a file, in PEM (RFC 7468), whatever else is
// in it, or one in DER.
func Split(file string) (all [][]byte) {
	if strings.HasPrefix(file, "\x30\x81") || strings.HasPrefix(file, "\x30\x82") {
		return [][]byte{[]byte(file)}
	}
	for {
		_, rest, found := strings.Cut(file, begin)
		if !found {
			return all
		}
		var body string
		if body, file, found = strings.Cut(rest, end); !found {
			return all
		}
		if one, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), "")); err == nil {
			all = append(all, one)
		}
	}
}

// Parse reads a certificate in DER.
func Parse(encoded []byte) (*Certificate, error) {
	whole := der(encoded)
	outer, _ := whole.take(sequence)
	tbs, ok := outer.take(sequence)
	if !ok {
		return nil, errMalformed
	}
	tbs.take(context0) // version
	serial, ok1 := tbs.take(integer)
	algorithm, ok2 := tbs.take(sequence)
	issuer, ok3 := tbs.take(sequence)
	validity, ok4 := tbs.take(sequence)
	subject, ok5 := tbs.take(sequence)
	key, ok6 := tbs.take(sequence)
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) {
		return nil, errMalformed
	}
	c := &Certificate{
		Serial: hex.EncodeToString(serial), Signature: algorithmName(algorithm), OwnIssuer: bytes.Equal(issuer, subject),
		Issuer: name(issuer), Subject: name(subject),
	}
	tag, content, _ := validity.next()
	c.NotBefore, ok1 = moment(tag, content)
	tag, content, _ = validity.next()
	c.NotAfter, ok2 = moment(tag, content)
	if !ok1 || !ok2 {
		return nil, errMalformed
	}
	c.key(key)
	for more := true; more; { // unique identifiers, then extensions
		if all, is := tbs.take(context3); is {
			list, _ := all.take(sequence)
			c.extensions(list)
		}
		_, _, more = tbs.next()
	}
	return c, nil
}

// key reads a SubjectPublicKeyInfo.
func (c *Certificate) key(info der) {
	algorithm, _ := info.take(sequence)
	object, _ := algorithm.take(identifier)
	value, _ := info.take(bitString)
	switch c.Key = named(object.object()); c.Key {
	case "rsa":
		if len(value) > 0 {
			value = value[1:] // how many bits of the last byte are not used: none
		}
		numbers, _ := value.take(sequence)
		modulus, _ := numbers.take(integer)
		modulus = bytes.TrimLeft(modulus, "\x00")
		if len(modulus) > 0 {
			c.Bits = int64(8*len(modulus) - bits.LeadingZeros8(modulus[0]))
		}
	case "ec":
		curve, _ := algorithm.take(identifier)
		c.Bits = curves[curve.object()]
	}
}

// extensions takes two of them: RFC 5280, 4.2.1.6 and 4.2.1.9.
func (c *Certificate) extensions(list der) {
	for {
		extension, ok := list.take(sequence)
		if !ok {
			break
		}
		object, _ := extension.take(identifier)
		extension.take(boolean) // critical
		value, _ := extension.take(octetString)
		inner, _ := value.take(sequence)
		switch object.object() {
		case "2.5.29.17":
			c.alternative(inner)
		case "2.5.29.19":
			authority, _ := inner.take(boolean)
			c.Authority = len(authority) == 1 && authority[0] != 0
		}
	}
	slices.Sort(c.Names)
	c.Names = slices.Compact(c.Names)
}

// alternative reads GeneralNames, of which the tags are their number.
func (c *Certificate) alternative(names der) {
	for {
		tag, content, ok := names.next()
		if !ok {
			return
		}
		switch tag {
		case 0x81:
			c.Names = append(c.Names, "email:"+text(tag, content))
		case 0x82:
			c.Names = append(c.Names, "DNS:"+text(tag, content))
		case 0x86:
			c.Names = append(c.Names, "URI:"+text(tag, content))
		case 0x87:
			if ip, ok := netip.AddrFromSlice(content); ok {
				c.Names = append(c.Names, "IP:"+ip.String())
			}
		}
	}
}

func algorithmName(algorithm der) string {
	object, _ := algorithm.take(identifier)
	return named(object.object())
}

// name writes a Name as RFC 4514 does: the last part first.
func name(parts der) string {
	var all []string
	for {
		_, set, ok := parts.next()
		if !ok {
			break
		}
		var together []string
		for {
			pair, ok := set.take(sequence)
			if !ok {
				break
			}
			object, _ := pair.take(identifier)
			tag, content, _ := pair.next()
			together = append(together, named(object.object())+"="+escape(text(tag, content)))
		}
		all = append(all, strings.Join(together, "+"))
	}
	slices.Reverse(all)
	return strings.Join(all, ",")
}

// escape marks what has a meaning in a name (RFC 4514, 2.4).
func escape(s string) string {
	var out strings.Builder
	for i, r := range s {
		if strings.ContainsRune(`,+"\<>;`, r) || i == 0 && (r == ' ' || r == '#') || i == len(s)-1 && r == ' ' {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}
