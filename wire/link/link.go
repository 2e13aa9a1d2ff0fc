// Package link carries messages over a session, reliably and independently of
// one another.
package link

import (
	"errors"
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

// Link is the sending and receiving half of one session.
type Link struct {
	session *session.Session
	heard   time.Time
}

// Stats counts what the link has seen.
type Stats struct{}

// New makes the link of a session. random returns numbers in [0,1) for jitter.
func New(s *session.Session, now time.Time, random func() float64) *Link {
	s.Start(now)
	return &Link{session: s, heard: now}
}

// Send queues a message.
func (l *Link) Send(now time.Time, m wire.Message) (uint32, error) { return 0, ErrQueueFull }

// SendEncoded queues what wire.Marshal returned.
func (l *Link) SendEncoded(now time.Time, encoded []byte) (uint32, error) { return 0, ErrQueueFull }

// Receive takes in one datagram.
func (l *Link) Receive(now time.Time, datagram []byte) ([]Event, error) { return nil, nil }

// Done says that the received message is durable.
func (l *Link) Done(id uint32) {}

// Refuse says that the received message is not wanted.
func (l *Link) Refuse(id uint32, reason wire.Reason) {}

// Echo asks the peer for a sign of life.
func (l *Link) Echo(now time.Time) {}

// Poll returns what must be sent now.
func (l *Link) Poll(now time.Time) (datagrams [][]byte, wake time.Time) { return nil, time.Time{} }

// LastHeard is when the last authentic datagram came.
func (l *Link) LastHeard() time.Time { return l.heard }

// Expired reports whether it is time for a new handshake.
func (l *Link) Expired(now time.Time) bool { return l.session.Expired(now) }

// Pending is the number of messages sent or queued that the peer has neither
// done nor refused.
func (l *Link) Pending() int { return 0 }

// Stats returns the link's counters.
func (l *Link) Stats() Stats { return Stats{} }
