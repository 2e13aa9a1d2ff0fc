package tlshello

import (
	"encoding/binary"
	"errors"
	"io"
)

// Types of records and of handshake messages.
const (
	recordChangeCipher = 20
	recordAlert        = 21
	recordHandshake    = 22
	recordEncrypted    = 23

	typeClientHello = 1
	typeServerHello = 2
	typeCertificate = 11
)

const maxRecord = 1<<14 + 256

var errMalformed = errors.New("a message is malformed")

// records reads handshake messages from a server's records.
type records struct {
	from   io.Reader
	left   int // bytes that are still taken
	buffer []byte
	open   func(header, sealed []byte) ([]byte, error) // once what comes is encrypted
}

func newRecords(from io.Reader) *records { return &records{from: from, left: maxAnswer} }

// message is the next handshake message: its type, its body, and the whole.
func (r *records) message() (sort byte, body, whole []byte, err error) {
	for {
		if len(r.buffer) >= 4 {
			n := 4 + (int(r.buffer[1])<<16 | int(r.buffer[2])<<8 | int(r.buffer[3]))
			if n > maxAnswer {
				return 0, nil, nil, errMalformed
			}
			if len(r.buffer) >= n {
				whole, r.buffer = r.buffer[:n:n], r.buffer[n:]
				return whole[0], whole[4:], whole, nil
			}
		}
		if err := r.record(); err != nil {
			return 0, nil, nil, err
		}
	}
}

// record adds the content of the next record to the buffer.
func (r *records) record() error {
	var header [5]byte
	if _, err := io.ReadFull(r.from, header[:1]); err != nil {
		return err
	}
	// What is not TLS is known by its first byte: its end is not waited for.
	if header[0] < recordChangeCipher || header[0] > recordEncrypted {
		return ErrNotTLS
	}
	if _, err := io.ReadFull(r.from, header[1:]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint16(header[3:]))
	if header[1] != 3 || n > maxRecord {
		return ErrNotTLS
	}
	if r.left -= n; r.left < 0 {
		return errMalformed
	}
	content := make([]byte, n)
	if _, err := io.ReadFull(r.from, content); err != nil {
		return err
	}
	sort := header[0]
	if sort == recordEncrypted {
		if r.open == nil {
			return errMalformed
		}
		opened, err := r.open(header[:], content)
		if err != nil {
			return err
		}
		for len(opened) > 0 && opened[len(opened)-1] == 0 { // padding
			opened = opened[:len(opened)-1]
		}
		if len(opened) == 0 {
			return errMalformed
		}
		content, sort = opened[:len(opened)-1], opened[len(opened)-1]
	}
	switch {
	case sort == recordAlert && len(content) == 2:
		return Alert(content[1])
	case sort == recordHandshake && len(content) > 0:
		r.buffer = append(r.buffer, content...)
	case sort != recordChangeCipher: // which middle boxes want to see
		return errMalformed
	}
	return nil
}

// parser takes fields off the front of a message.
type parser struct {
	rest []byte
	bad  bool
}

// bytes takes n bytes.
func (p *parser) bytes(n int) []byte {
	if n > len(p.rest) {
		p.bad, p.rest = true, nil
		return nil
	}
	var taken []byte
	taken, p.rest = p.rest[:n:n], p.rest[n:]
	return taken
}

// number takes an integer of n bytes.
func (p *parser) number(n int) (v int) {
	for _, b := range p.bytes(n) {
		v = v<<8 | int(b)
	}
	return v
}

// sized takes what a length of n bytes precedes.
func (p *parser) sized(n int) *parser { return &parser{rest: p.bytes(p.number(n))} }

// serverHello is what a server chose.
type serverHello struct {
	version uint16
	random  []byte
	cipher  uint16
	share   []byte // of X25519
}

func parseServerHello(sort byte, body []byte) (*serverHello, error) {
	p := &parser{rest: body}
	s := &serverHello{version: uint16(p.number(2)), random: p.bytes(32)}
	p.sized(1) // session
	s.cipher = uint16(p.number(2))
	p.number(1) // compression
	if sort != typeServerHello || p.bad {
		return nil, errMalformed
	}
	if len(p.rest) == 0 {
		return s, nil
	}
	for extensions := p.sized(2); len(extensions.rest) > 0; {
		number := extensions.number(2)
		content := extensions.sized(2)
		if extensions.bad {
			return nil, errMalformed
		}
		switch number {
		case extSupportedVersions:
			s.version = uint16(content.number(2))
		case extKeyShare:
			if group := content.number(2); group == x25519 {
				s.share = content.sized(2).rest
			}
		}
	}
	return s, nil
}

// parseChain reads a message Certificate; in TLS 1.3 each has extensions.
func parseChain(sort byte, body []byte, extended bool) (chain [][]byte, err error) {
	p := &parser{rest: body}
	if sort != typeCertificate {
		return nil, errors.New("no certificate was sent") // the server knows by other means whom it serves
	}
	if extended {
		p.sized(1) // context
	}
	for list := p.sized(3); len(list.rest) > 0 && len(chain) < maxChain; {
		one := list.sized(3).rest
		if extended {
			list.sized(2)
		}
		if list.bad || len(one) == 0 {
			return nil, errMalformed
		}
		chain = append(chain, one)
	}
	if len(chain) == 0 {
		return nil, errMalformed
	}
	return chain, nil
}
