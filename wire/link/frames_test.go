package link_test

import (
	"encoding/binary"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/link"
	"assimilation/wire/session"
)

// The frames as the specification has them, made without package link.

func dataFrame(id, total, offset uint32, payload []byte) []byte {
	b := []byte{1}
	b = binary.BigEndian.AppendUint32(b, id)
	b = binary.BigEndian.AppendUint32(b, total)
	b = binary.BigEndian.AppendUint32(b, offset)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	return append(b, payload...)
}

func ackFrame(id uint32, status byte, reason wire.Reason, through uint32, ranges ...uint32) []byte {
	b := []byte{2}
	b = binary.BigEndian.AppendUint32(b, id)
	b = append(b, status)
	b = binary.BigEndian.AppendUint16(b, uint16(reason))
	b = binary.BigEndian.AppendUint32(b, through)
	b = append(b, byte(len(ranges)/2))
	for _, r := range ranges {
		b = binary.BigEndian.AppendUint32(b, r)
	}
	return b
}

func numberFrame(kind byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, number)
}

// ack is a parsed ACK, credit a parsed CREDIT.
type ack struct {
	id      uint32
	status  byte
	reason  wire.Reason
	through uint32
	ranges  []uint32
}

// seen is what a scripted peer reads out of the link's datagrams.
type seen struct {
	data    map[uint32][]uint32 // message id -> offsets, in order
	queries []uint32
	acks    []ack
	credits []uint64
	echoes  []uint64
	replies []uint64
}

// scripted is a peer that follows no rules: it seals what it is told to.
type scripted struct {
	t    testing.TB
	now  time.Time
	peer *session.Session
	link *link.Link
}

func newScripted(t testing.TB) *scripted {
	t.Helper()
	a, err := session.New(1, 2, [32]byte{1}, [32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	b, err := session.New(2, 1, [32]byte{2}, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return &scripted{t: t, now: epoch, peer: a, link: link.New(b, epoch, func() float64 { return 0.5 })}
}

// send hands frames to the link in one datagram.
func (s *scripted) send(frames ...[]byte) []link.Event {
	s.t.Helper()
	events, err := s.trySend(frames...)
	if err != nil {
		s.t.Fatal(err)
	}
	return events
}

func (s *scripted) trySend(frames ...[]byte) ([]link.Event, error) {
	s.t.Helper()
	var plaintext []byte
	for _, f := range frames {
		plaintext = append(plaintext, f...)
	}
	datagram, err := s.peer.Seal(nil, plaintext)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.link.Receive(s.now, datagram)
}

// poll reads what the link sends now.
func (s *scripted) poll() seen {
	s.t.Helper()
	datagrams, _ := s.link.Poll(s.now)
	return s.read(datagrams)
}

// pollAfter lets time pass first.
func (s *scripted) pollAfter(d time.Duration) seen {
	s.t.Helper()
	s.now = s.now.Add(d)
	return s.poll()
}

func (s *scripted) read(datagrams [][]byte) seen {
	s.t.Helper()
	out := seen{data: map[uint32][]uint32{}}
	for _, d := range datagrams {
		b, err := s.peer.Open(d)
		if err != nil {
			s.t.Fatal(err)
		}
		for len(b) > 0 {
			kind := b[0]
			switch kind {
			case 1:
				id, offset := binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[9:])
				n := int(binary.BigEndian.Uint16(b[13:]))
				if n == 0 {
					out.queries = append(out.queries, id)
				} else {
					out.data[id] = append(out.data[id], offset)
				}
				b = b[15+n:]
			case 2:
				a := ack{
					id: binary.BigEndian.Uint32(b[1:]), status: b[5],
					reason:  wire.Reason(binary.BigEndian.Uint16(b[6:])),
					through: binary.BigEndian.Uint32(b[8:]),
				}
				n := int(b[12])
				for i := range 2 * n {
					a.ranges = append(a.ranges, binary.BigEndian.Uint32(b[13+4*i:]))
				}
				out.acks = append(out.acks, a)
				b = b[13+8*n:]
			case 3, 4, 5:
				number := binary.BigEndian.Uint64(b[1:])
				switch kind {
				case 3:
					out.credits = append(out.credits, number)
				case 4:
					out.echoes = append(out.echoes, number)
				case 5:
					out.replies = append(out.replies, number)
				}
				b = b[9:]
			default:
				s.t.Fatalf("frame of type %d", kind)
			}
		}
	}
	return out
}
