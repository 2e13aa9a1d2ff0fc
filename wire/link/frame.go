package link

import (
	"encoding/binary"
	"errors"

	"assimilation/wire"
)

// ErrFrame is why an authentic datagram was dropped whole: the peer's software
// is broken.
var ErrFrame = errors.New("datagram holds a frame that cannot be read")

// The frames. Only append; never reuse a number.
const (
	framePadding   = 0
	frameData      = 1
	frameAck       = 2
	frameCredit    = 3
	frameEcho      = 4
	frameEchoReply = 5
)

const (
	dataHeader = 15 // type, id, total, offset, length
	ackHeader  = 13 // type, id, status, reason, through, number of ranges
	rangeSize  = 8
	smallFrame = 9 // credit, echo, echo reply
)

// status is a receiver's word on a message.
type status uint8

const (
	receiving status = 0
	done      status = 1 // durable
	refused   status = 2
)

// span is a range of a message's bytes, end exclusive.
type span struct{ start, end uint32 }

// frame is any of them; fields of other types are zero.
type frame struct {
	kind byte
	id   uint32

	total, offset uint32 // data
	payload       []byte

	status  status // ack
	reason  wire.Reason
	through uint32
	ranges  []span

	number uint64 // limit of a credit, nonce of an echo and its reply
}

func appendData(dst []byte, id, total, offset uint32, payload []byte) []byte {
	dst = append(dst, frameData)
	dst = binary.BigEndian.AppendUint32(dst, id)
	dst = binary.BigEndian.AppendUint32(dst, total)
	dst = binary.BigEndian.AppendUint32(dst, offset)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(payload)))
	return append(dst, payload...)
}

func appendAck(dst []byte, f frame) []byte {
	dst = append(dst, frameAck)
	dst = binary.BigEndian.AppendUint32(dst, f.id)
	dst = append(dst, byte(f.status))
	dst = binary.BigEndian.AppendUint16(dst, uint16(f.reason))
	dst = binary.BigEndian.AppendUint32(dst, f.through)
	dst = append(dst, byte(len(f.ranges)))
	for _, r := range f.ranges {
		dst = binary.BigEndian.AppendUint32(dst, r.start)
		dst = binary.BigEndian.AppendUint32(dst, r.end)
	}
	return dst
}

func appendNumber(dst []byte, kind byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, kind), number)
}

// parseFrames reads all frames of a plaintext. unknown reports that it stopped
// at a frame type it does not know; the frames before it count. The payloads
// are parts of b.
func parseFrames(b []byte) (frames []frame, unknown bool, err error) {
	for len(b) > 0 {
		var f frame
		var size int
		switch b[0] {
		case framePadding:
			return frames, false, nil
		case frameData:
			f, size = parseData(b)
		case frameAck:
			f, size = parseAck(b)
		case frameCredit, frameEcho, frameEchoReply:
			if len(b) >= smallFrame {
				f, size = frame{kind: b[0], number: binary.BigEndian.Uint64(b[1:])}, smallFrame
			}
		default:
			return frames, true, nil
		}
		if size == 0 {
			return nil, false, ErrFrame
		}
		frames = append(frames, f)
		b = b[size:]
	}
	return frames, false, nil
}

// parseData returns size 0 where the frame is cut or contradicts itself.
func parseData(b []byte) (f frame, size int) {
	if len(b) < dataHeader {
		return f, 0
	}
	f = frame{
		kind:   frameData,
		id:     binary.BigEndian.Uint32(b[1:]),
		total:  binary.BigEndian.Uint32(b[5:]),
		offset: binary.BigEndian.Uint32(b[9:]),
	}
	n := int(binary.BigEndian.Uint16(b[13:]))
	if f.id == 0 || f.total == 0 || len(b) < dataHeader+n || uint64(f.offset)+uint64(n) > uint64(f.total) {
		return f, 0
	}
	f.payload = b[dataHeader : dataHeader+n]
	return f, dataHeader + n
}

func parseAck(b []byte) (f frame, size int) {
	if len(b) < ackHeader {
		return f, 0
	}
	f = frame{
		kind:    frameAck,
		id:      binary.BigEndian.Uint32(b[1:]),
		status:  status(b[5]),
		reason:  wire.Reason(binary.BigEndian.Uint16(b[6:])),
		through: binary.BigEndian.Uint32(b[8:]),
	}
	n := int(b[12])
	if f.id == 0 || f.status > refused || n > wire.MaxAckRanges || len(b) < ackHeader+n*rangeSize {
		return f, 0
	}
	end := f.through
	for i := range n {
		at := ackHeader + i*rangeSize
		r := span{binary.BigEndian.Uint32(b[at:]), binary.BigEndian.Uint32(b[at+4:])}
		if r.start <= end || r.end <= r.start {
			return f, 0
		}
		f.ranges = append(f.ranges, r)
		end = r.end
	}
	return f, ackHeader + n*rangeSize
}
