// Package netlink is the little of netlink(7) that the probe needs: tables are
// asked for, and events received. Only what the kernel sent is taken.
//
// The module github.com/mdlayher/netlink does much more, for 80 kB of the probe.
package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Type says what a message holds; its numbers belong to the protocol.
type Type uint16

// Flags of a message, linux/netlink.h.
type Flags uint16

// The flags of interest.
const (
	Request         Flags = 0x1
	Multi           Flags = 0x2
	DumpInterrupted Flags = 0x10  // the table changed meanwhile
	Dump            Flags = 0x300 // all of a table
)

// Header is what stands before a message's data. A sender fills in what is
// missing here.
type Header struct {
	Type  Type
	Flags Flags
}

// Message is one message.
type Message struct {
	Header Header
	Data   []byte
}

const (
	headerSize = 16
	alignment  = 4

	typeError Type = 2
	typeDone  Type = 3
)

var errShort = errors.New("netlink message is shorter than it says")

// appendMessage encodes a message, with a sequence number.
func appendMessage(b []byte, m Message, sequence uint32) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(headerSize+len(m.Data)))
	b = binary.NativeEndian.AppendUint16(b, uint16(m.Header.Type))
	b = binary.NativeEndian.AppendUint16(b, uint16(m.Header.Flags))
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = binary.NativeEndian.AppendUint32(b, 0) // port: the kernel knows it
	return append(b, m.Data...)
}

// parse splits a datagram. The messages' data are parts of it.
func parse(b []byte) (messages []Message, sequences []uint32, err error) {
	for len(b) > 0 {
		if len(b) < headerSize {
			return nil, nil, errShort
		}
		size := int(binary.NativeEndian.Uint32(b))
		if size < headerSize || size > len(b) {
			return nil, nil, errShort
		}
		messages = append(messages, Message{
			Header: Header{Type(binary.NativeEndian.Uint16(b[4:])), Flags(binary.NativeEndian.Uint16(b[6:]))},
			Data:   b[headerSize:size:size],
		})
		sequences = append(sequences, binary.NativeEndian.Uint32(b[8:]))
		b = b[min(len(b), (size+alignment-1)&^(alignment-1)):]
	}
	return messages, sequences, nil
}

// Attributes calls each for every attribute in b, linux/netlink.h's struct nlattr.
func Attributes(b []byte, each func(kind uint16, data []byte) error) error {
	const size, flags = 4, 0xc000 // of the header; "nested" and "big endian" in the kind
	for len(b) >= size {
		length := int(binary.NativeEndian.Uint16(b))
		kind := binary.NativeEndian.Uint16(b[2:]) &^ flags
		if length < size || length > len(b) {
			return fmt.Errorf("attribute %d claims %d of %d bytes", kind, length, len(b))
		}
		if err := each(kind, b[size:length]); err != nil {
			return err
		}
		b = b[min((length+alignment-1)&^(alignment-1), len(b)):]
	}
	return nil
}
