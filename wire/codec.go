package wire

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

const (
	messageHeader  = 2 // type and flags
	flagCompressed = 1 << 0
	flagDictionary = 1 << 1 // only beside flagCompressed
	// compressFrom is the size below which zstd's own header eats the gain.
	compressFrom = 256
)

var encMode = mustMode(encOptions().EncMode())

func encOptions() cbor.EncOptions {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty // an empty list is a list
	return o
}

var decMode = mustMode(cbor.DecOptions{
	DupMapKey:        cbor.DupMapKeyEnforcedAPF,
	MaxNestedLevels:  8,
	MaxArrayElements: MaxFacts,
	MaxMapPairs:      64,
	IndefLength:      cbor.IndefLengthForbidden,
	TagsMd:           cbor.TagsForbidden,
	UTF8:             cbor.UTF8RejectInvalid,
}.DecMode())

func mustMode[M any](mode M, err error) M {
	if err != nil {
		panic("wire: CBOR options: " + err.Error())
	}
	return mode
}

// Marshal encodes a message. It refuses what Unmarshal would refuse at the
// other end, with the same reasons.
func Marshal(m Message) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("encode message %d: %w", m.messageType(), err)
	}
	body, err := encMode.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode message %d: %w", m.messageType(), err)
	}
	if len(body) > MaxMessage-messageHeader {
		return nil, refuse(TooLarge, "message %d of %d bytes", m.messageType(), len(body))
	}
	encoded := make([]byte, messageHeader, messageHeader+len(body))
	encoded[0] = byte(m.messageType())
	if len(body) >= compressFrom {
		if packed := compress(encoded, body); len(packed) < messageHeader+len(body) {
			packed[1] = flagCompressed | flagDictionary
			return packed, nil
		}
	}
	return append(encoded, body...), nil
}

// Unmarshal decodes and checks a message. The error's reason (ReasonOf) is
// what to refuse the message with.
func Unmarshal(b []byte) (Message, error) {
	m, _, err := UnmarshalSize(b)
	return m, err
}

// UnmarshalSize is Unmarshal that also says how many bytes the message is when
// it is not compressed: what it costs to hold. Of a message that is refused, it
// is what looking at it may have cost.
func UnmarshalSize(b []byte) (Message, int, error) {
	return unmarshal(b, MaxMessage)
}

// UnmarshalSmall is UnmarshalSize of a message from somebody who has shown no
// right to make us work: beyond MaxSmall bytes, compressed or not, it is refused
// as TooLarge before it is expanded.
func UnmarshalSmall(b []byte) (Message, int, error) {
	return unmarshal(b, MaxSmall)
}

// limit is MaxMessage or MaxSmall.
func unmarshal(b []byte, limit int) (Message, int, error) {
	switch {
	case len(b) < messageHeader:
		return nil, 0, refuse(Malformed, "message of %d bytes", len(b))
	case len(b) > limit:
		return nil, 0, refuse(TooLarge, "message of %d bytes", len(b))
	case b[1]&^(flagCompressed|flagDictionary) != 0, b[1] == flagDictionary:
		return nil, 0, refuse(Unsupported, "message flags %#x", b[1])
	}
	m := newMessage(MessageType(b[0]))
	if m == nil {
		return nil, 0, refuse(Unsupported, "message type %d", b[0])
	}
	body := b[messageHeader:]
	if b[1]&flagCompressed != 0 {
		var named uint32
		if b[1]&flagDictionary != 0 {
			named = dictionaryID
		}
		var err error
		if body, err = decompress(body, named, limit); err != nil {
			return nil, limit, err
		}
	}
	size := messageHeader + len(body)
	if err := decMode.Unmarshal(body, m); err != nil {
		return nil, size, refuse(Malformed, "message %d: %v", b[0], err)
	}
	if err := m.check(); err != nil {
		return nil, size, fmt.Errorf("message %d: %w", b[0], err)
	}
	return m, size, nil
}
