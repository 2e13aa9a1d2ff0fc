package uplink

import (
	"bytes"
	"encoding/binary"

	"assimilation/wire"
)

// EncodeRecord is the one encoding of a record, over which the chain runs. It
// refuses what the service would refuse.
func EncodeRecord(c Change) ([]byte, error) {
	record, err := encode(c)
	if err != nil {
		return nil, err
	}
	if len(record) > MaxRecord {
		return nil, refuse(wire.TooLarge, "record of %d bytes exceeds %d", len(record), MaxRecord)
	}
	return record, nil
}

// DecodeRecord reads and checks one record.
func DecodeRecord(record []byte) (Change, error) {
	if len(record) > MaxRecord {
		return Change{}, refuse(wire.TooLarge, "record exceeds %d bytes", MaxRecord)
	}
	return decode[Change](record)
}

// BatchSize is the payload size of a batch of records with that many bytes in
// all: what a sender compares with MaxPayload before it adds one more.
func BatchSize(records, bytes int) int { return bytes + 5*records + 5 }

// EncodeBatch is the payload of a batch: a CBOR array of byte strings, each of
// them one record exactly as the chain covers it.
func EncodeBatch(records [][]byte) ([]byte, error) {
	if len(records) == 0 || len(records) > MaxRecords {
		return nil, malformed("batch of %d records; 1 to %d are allowed", len(records), MaxRecords)
	}
	size := 0
	for _, record := range records {
		size += len(record)
	}
	payload := appendHead(make([]byte, 0, BatchSize(len(records), size)), arrayType, uint64(len(records)))
	for _, record := range records {
		payload = append(appendHead(payload, bytesType, uint64(len(record))), record...)
	}
	if len(payload) > MaxPayload {
		return nil, refuse(wire.TooLarge, "batch of %d bytes exceeds %d", len(payload), MaxPayload)
	}
	return payload, nil
}

// DecodeBatch cuts a payload into records, which share its memory.
func DecodeBatch(payload []byte) ([][]byte, error) {
	if len(payload) > MaxPayload {
		return nil, refuse(wire.TooLarge, "batch exceeds %d bytes", MaxPayload)
	}
	count, rest, ok := readHead(payload, arrayType)
	if !ok || count == 0 {
		return nil, malformed("batch is no array of records")
	}
	if count > MaxRecords {
		return nil, refuse(wire.TooLarge, "batch of more than %d records", MaxRecords)
	}
	records := make([][]byte, 0, min(count, uint64(len(rest))))
	for range count {
		size, after, ok := readHead(rest, bytesType)
		switch {
		case !ok || size > uint64(len(after)):
			return nil, malformed("record %d of the batch is cut", len(records))
		case size > MaxRecord:
			return nil, refuse(wire.TooLarge, "record %d of the batch exceeds %d bytes", len(records), MaxRecord)
		}
		records = append(records, after[:size:size])
		rest = after[size:]
	}
	if len(rest) != 0 {
		return nil, malformed("batch has a tail")
	}
	return records, nil
}

// Verify checks that records are the ones a batch's header announces: as many
// as First..Last, and a chain from Prev to Chain.
func Verify(h Header, records [][]byte) error {
	switch {
	case h.Purpose != PurposeBatch || len(h.Prev) != HashSize:
		return malformed("the header of no batch")
	case uint64(len(records)) != h.Last-h.First+1:
		return malformed("batch holds %d records, its header announces %d", len(records), h.Last-h.First+1)
	}
	if chain := ChainOver(Chain(h.Prev), records); !bytes.Equal(chain[:], h.Chain) {
		return malformed("records do not give the chain that the header announces")
	}
	return nil
}

// Entry is one record of a verified batch. Err is a *wire.Error when the record
// itself is not acceptable; its place in the stream is taken all the same, so
// one bad record never holds up the ones behind it.
type Entry struct {
	Seq    uint64
	Change Change
	Err    error
}

// ReadBatch decodes and verifies a batch's payload, of which all bodies are
// inline, and decodes every record.
func ReadBatch(h Header, payload []byte) ([]Entry, error) {
	records, err := DecodeBatch(payload)
	if err != nil {
		return nil, err
	}
	return ReadRecords(h, records)
}

// ReadRecords verifies and decodes the records of a batch, as Inline gave them.
func ReadRecords(h Header, records [][]byte) ([]Entry, error) {
	if err := Verify(h, records); err != nil {
		return nil, err
	}
	entries := make([]Entry, len(records))
	for i, record := range records {
		entry := Entry{Seq: h.First + uint64(i)}
		entry.Change, entry.Err = DecodeRecord(record)
		if entry.Err == nil && entry.Change.Encoding != BodyInline {
			entry.Err = refuse(wire.Unsupported, "a body that is not inline")
		}
		if entry.Err == nil && entry.Change.Type == FactPut && entry.Change.Hash == nil {
			entry.Err = malformed("fact without a content hash")
		}
		if entry.Err == nil && entry.Change.Seq != entry.Seq {
			return nil, malformed("record %d says it is %d", entry.Seq, entry.Change.Seq)
		}
		entries[i] = entry
	}
	return entries, nil
}

// The two major types of CBOR (RFC 8949, 3.1) that a batch's frame is made of.
// The frame is cut by hand so that records need no copy and a short payload
// cannot ask for much memory.
const (
	bytesType = 2 << 5
	arrayType = 4 << 5
)

func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
}

// readHead takes the shortest form only, and nothing of 4 GiB or more.
func readHead(b []byte, major byte) (n uint64, rest []byte, ok bool) {
	if len(b) == 0 || b[0]&0xe0 != major {
		return 0, nil, false
	}
	info, b := b[0]&0x1f, b[1:]
	switch {
	case info < 24:
		return uint64(info), b, true
	case info == 24 && len(b) >= 1:
		n, rest = uint64(b[0]), b[1:]
		return n, rest, n >= 24
	case info == 25 && len(b) >= 2:
		n, rest = uint64(binary.BigEndian.Uint16(b)), b[2:]
		return n, rest, n >= 1<<8
	case info == 26 && len(b) >= 4:
		n, rest = uint64(binary.BigEndian.Uint32(b)), b[4:]
		return n, rest, n >= 1<<16
	}
	return 0, nil, false
}
