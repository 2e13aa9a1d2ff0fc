package link

import (
	"errors"
	"fmt"
	"time"

	"assimilation/wire"
	"assimilation/wire/session"
)

// Why Send did not queue a message.
var (
	ErrTooLarge  = errors.New("message exceeds the protocol's limit")
	ErrQueueFull = errors.New("send queue is full")
	ErrExhausted = errors.New("session has used up its message ids")
)

// maxEchoes bounds the echoes without a reply and the replies to send.
const maxEchoes = 8

// Link is one end of a session: what it has to send, and what has arrived in
// part. It belongs to one owner; it is not safe for concurrent use.
type Link struct {
	session *session.Session
	in      incoming
	out     outgoing
	heard   time.Time
	stats   Stats

	datagrams uint64 // sent; the number of the last one
	nonce     uint64 // of the last echo
	toEcho    []uint64
	echoes    []echo
	replies   []uint64
}

type echo struct {
	nonce  uint64
	sentAt time.Time
}

// New makes the link of a session. random returns numbers in [0,1): the jitter
// of retransmissions.
func New(s *session.Session, now time.Time, random func() float64) *Link {
	s.Start(now)
	return &Link{session: s, in: newIncoming(), out: newOutgoing(now, random), heard: now}
}

// Send queues a message and returns the id by which Delivered or Refused will
// name it. It fails with ErrQueueFull, ErrTooLarge, or as wire.Marshal does.
func (l *Link) Send(now time.Time, m wire.Message) (uint32, error) {
	encoded, err := wire.Marshal(m)
	if wire.ReasonOf(err) == wire.TooLarge {
		return 0, fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	if err != nil {
		return 0, err
	}
	return l.SendEncoded(now, encoded)
}

// SendEncoded queues what wire.Marshal returned; a sender that meets
// ErrQueueFull keeps the encoded message and tries again after a Delivered or
// Refused. The link keeps the slice.
func (l *Link) SendEncoded(_ time.Time, encoded []byte) (uint32, error) {
	return l.out.enqueue(encoded)
}

// Receive takes in one datagram. An error says why it was dropped; then
// nothing has changed but a counter.
func (l *Link) Receive(now time.Time, datagram []byte) ([]Event, error) {
	plaintext, err := l.session.Open(datagram)
	if err != nil {
		l.stats.countDrop(err)
		return nil, err
	}
	frames, unknown, err := parseFrames(plaintext)
	if err != nil {
		l.stats.BadFrames++
		return nil, err
	}
	if unknown {
		l.stats.UnknownFrames++
	}
	l.stats.Received++
	l.stats.BytesReceived += uint64(len(datagram))
	l.heard = now
	var events []Event
	for _, f := range frames {
		if e := l.apply(now, f); e != nil {
			events = append(events, e)
		}
	}
	l.out.detectLoss(now, l.datagrams)
	return events, nil
}

func (l *Link) apply(now time.Time, f frame) Event {
	switch f.kind {
	case frameData:
		if encoded, complete := l.in.data(now, f, &l.stats); complete {
			return l.decode(now, f.id, encoded)
		}
	case frameAck:
		return l.out.ack(now, f, &l.stats)
	case frameCredit:
		l.out.granted(f.number)
	case frameEcho:
		if len(l.replies) < maxEchoes {
			l.replies = append(l.replies, f.number)
		}
	case frameEchoReply:
		for i, e := range l.echoes {
			if e.nonce == f.number {
				l.echoes = append(l.echoes[:i], l.echoes[i+1:]...)
				l.out.pace.sample(now.Sub(e.sentAt))
				return EchoReply{RTT: now.Sub(e.sentAt)}
			}
		}
	}
	return nil
}

// decode turns a complete message into an event, or refuses it.
func (l *Link) decode(now time.Time, id uint32, encoded []byte) Event {
	unmarshal := wire.UnmarshalSize
	if l.in.restricted != wire.Accepted {
		unmarshal = wire.UnmarshalSmall
	}
	m, size, err := unmarshal(encoded)
	l.stats.Decoded += uint64(size)
	if err != nil {
		reason := wire.ReasonOf(err)
		if reason == wire.TooLarge && l.in.restricted != wire.Accepted {
			reason = l.in.restricted
		}
		l.stats.RefusedMessages++
		l.in.verdict(now, id, reason)
		return Malformed{id, reason, err}
	}
	if !l.in.decoded(id, size) {
		l.stats.Overruns++
		l.stats.RefusedMessages++
		l.in.verdict(now, id, wire.Busy)
		return nil
	}
	return Received{id, m}
}

// Done is the owner's verdict that a received message is durable, or has had
// its effect: only then does the peer forget it. An id without an open message
// is ignored.
func (l *Link) Done(id uint32) { l.in.verdict(l.heard, id, wire.Accepted) }

// Refuse is the owner's verdict that a received message is not wanted.
func (l *Link) Refuse(id uint32, reason wire.Reason) {
	if reason == wire.Accepted {
		reason = wire.Malformed
	}
	l.in.verdict(l.heard, id, reason)
}

// Restrict refuses, from now on and with that reason, messages of more than
// wire.MaxSmall bytes before they cost anything: a few hundred bytes may expand
// to megabytes. Accepted ends it.
func (l *Link) Restrict(reason wire.Reason) { l.in.restricted = reason }

// Echo asks the peer's program for a sign of life: EchoReply says that it came.
// An echo is not repeated.
func (l *Link) Echo(_ time.Time) {
	if len(l.toEcho) >= maxEchoes {
		return
	}
	l.nonce++
	l.toEcho = append(l.toEcho, l.nonce)
}

// Advanced reports whether the datagram that was received last was sent after
// all those before it: only its source is where the peer is now.
func (l *Link) Advanced() bool { return l.session.Advanced() }

// LastHeard is when the last authentic datagram came.
func (l *Link) LastHeard() time.Time { return l.heard }

// Expired reports whether it is time for a new handshake. The link goes on
// working meanwhile.
func (l *Link) Expired(now time.Time) bool { return l.session.Expired(now) }

// Pending is the number of messages queued or sent that the peer has neither
// done nor refused.
func (l *Link) Pending() int { return len(l.out.live) + len(l.out.waiting) }
