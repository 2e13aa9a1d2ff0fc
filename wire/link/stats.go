package link

import (
	"errors"
	"time"

	"assimilation/wire/session"
)

// Stats is what a link has seen so far, and how it stands.
type Stats struct {
	Sent, Received           uint64 // datagrams
	BytesSent, BytesReceived uint64 // of datagrams
	Retransmitted            uint64 // chunks
	Duplicates               uint64 // chunks and ACKs that said nothing new

	// Datagrams dropped, by cause.
	NotAuthentic, Replayed, NotOurs, BadFrames uint64

	UnknownFrames   uint64 // datagrams ignored from such a frame on
	Overruns        uint64 // chunks beyond credit, window or memory
	BadAcks         uint64 // ACKs of what was never sent
	RefusedMessages uint64 // by the link itself
	Decoded         uint64 // bytes of messages when expanded, also of those that were then refused

	RTT      time.Duration // smoothed; zero: unknown
	InFlight int           // bytes
	Held     int           // bytes of incomplete messages and those without a verdict
	Granted  uint64        // bytes that the peer may send in all
}

// Stats returns the counters.
func (l *Link) Stats() Stats {
	s := l.stats
	s.RTT = l.out.pace.srtt
	s.InFlight = l.out.inflight
	s.Held = l.in.held
	s.Granted = l.in.granted
	return s
}

func (s *Stats) countDrop(err error) {
	switch {
	case errors.Is(err, session.ErrReplay):
		s.Replayed++
	case errors.Is(err, session.ErrAuth):
		s.NotAuthentic++
	default:
		s.NotOurs++
	}
}
