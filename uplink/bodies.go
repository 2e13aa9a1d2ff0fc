package uplink

import (
	"errors"

	"github.com/klauspost/compress/zstd"

	"assimilation/wire"
)

// A record travels with its body in one of three ways. The chain is over the
// record with its body inline, whatever way it travels: a record may be sent
// again in another way, and the receiver proves by the chain that it has put the
// right body in.

// BodyHash names a body: its content hash, as in Change.Hash.
type BodyHash [HashSize]byte

// Want is a body that a record refers to and that is not in the batch before it.
type Want struct {
	Hash   BodyHash
	Change Change // the record, as it travelled
}

// dictionary is the id that a frame against a base names; the base itself is
// named by the record.
const dictionary = 1

// Hasher gives the content hash of a body: what stands in Change.Hash.
type Hasher func(kind string, schema uint8, body []byte) BodyHash

// Unnamed is the record without its hash, which the receiver works out from the
// body: a hash does not compress. It is for records that carry a body.
func (c Change) Unnamed() Change {
	if c.Encoding != BodyByHash {
		c.Hash = nil
	}
	return c
}

// ByHash is the record without its body, for a receiver that holds it.
func (c Change) ByHash() Change {
	c.Body, c.Base, c.Encoding = nil, nil, BodyByHash
	return c
}

// Packer encodes bodies against others. It is not safe for concurrent use.
type Packer struct{ base *dictionaryEncoder }

type dictionaryEncoder struct {
	hash BodyHash
	zstd *zstd.Encoder
}

// ByBase is the record with its body encoded against base, whose hash is given.
// It reports false if that is no shorter than half of it.
func (p *Packer) ByBase(c Change, hash BodyHash, base []byte) (Change, bool) {
	if p.base == nil || p.base.hash != hash {
		window := zstd.MinWindowSize
		for window < maxWindow && window < len(base)+len(c.Body) {
			window *= 2
		}
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(window),
			zstd.WithEncoderCRC(false), zstd.WithEncoderDictRaw(dictionary, base))
		if err != nil {
			return c, false
		}
		p.Close()
		p.base = &dictionaryEncoder{hash, encoder}
	}
	packed := p.base.zstd.EncodeAll(c.Body, nil)
	if len(packed) > len(c.Body)/2 {
		return c, false
	}
	c.Body, c.Base, c.Encoding = packed, hash[:], BodyByBase
	return c, true
}

// Close releases what the packer keeps for the next body.
func (p *Packer) Close() {
	if p.base != nil {
		p.base.zstd.Close()
		p.base = nil
	}
}

// Wants lists the bodies that the records of a batch refer to and that may not be
// in the batch before them.
func Wants(records [][]byte) []Want {
	var wants []Want
	own := map[BodyHash]bool{}
	for _, record := range records {
		c, err := DecodeRecord(record)
		if err != nil || c.Type != FactPut {
			continue
		}
		if hash, refers := c.refers(); refers && !own[hash] {
			wants = append(wants, Want{hash, c})
		}
		if len(c.Hash) == HashSize {
			own[BodyHash(c.Hash)] = true
		}
	}
	return wants
}

// refers is the hash of the body that the record's own is made of.
func (c Change) refers() (BodyHash, bool) {
	switch c.Encoding {
	case BodyByHash:
		return BodyHash(c.Hash), true
	case BodyByBase:
		return BodyHash(c.Base), true
	}
	return BodyHash{}, false
}

// Inline puts the bodies into records that refer to them, and the hashes into
// those that left them out. held are the bodies
// that the receiver found for Wants; missing lists those that it lacks. Where
// there are any, nothing of the batch can be taken.
func Inline(records [][]byte, held map[BodyHash][]byte, hash Hasher) (inline [][]byte, missing [][]byte, err error) {
	room := MaxPayload
	bodies := map[BodyHash][]byte{}
	unpacker := &unpacker{}
	defer unpacker.close()
	inline = make([][]byte, len(records))
	for i, record := range records {
		inline[i] = record
		c, err := DecodeRecord(record)
		if err != nil || c.Type != FactPut {
			continue // judged where records are read
		}
		if base, refers := c.refers(); refers {
			body, ok := bodies[base]
			if !ok {
				body, ok = held[base]
			}
			if !ok {
				missing = append(missing, base[:])
				continue
			}
			if c.Encoding == BodyByBase {
				if body, err = unpacker.unpack(c.Body, base, body); err != nil {
					return nil, nil, err
				}
			}
			if room -= len(body); room < 0 {
				return nil, nil, refuse(wire.TooLarge, "the bodies of the batch exceed %d bytes", MaxPayload)
			}
			c.Body, c.Base, c.Encoding = body, nil, BodyInline
		}
		if c.Hash == nil {
			named := hash(c.Kind, c.Schema, c.Body)
			c.Hash = named[:]
		}
		if inline[i], err = EncodeRecord(c); err != nil {
			return nil, nil, err
		}
		bodies[BodyHash(c.Hash)] = c.Body
	}
	return inline, missing, nil
}

// unpacker keeps the decoder of the newest base.
type unpacker struct {
	hash BodyHash
	zstd *zstd.Decoder
}

func (u *unpacker) unpack(packed []byte, hash BodyHash, base []byte) ([]byte, error) {
	if u.zstd == nil || u.hash != hash {
		u.close()
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(MaxBody),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderDictRaw(dictionary, base))
		if err != nil {
			return nil, err
		}
		u.hash, u.zstd = hash, decoder
	}
	body, err := u.zstd.DecodeAll(packed, nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, refuse(wire.TooLarge, "a body expands beyond %d bytes", MaxBody)
	case err != nil:
		return nil, malformed("a body does not decompress against its base")
	case len(body) == 0:
		return nil, malformed("a body is empty")
	}
	return body, nil
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
		u.zstd = nil
	}
}
