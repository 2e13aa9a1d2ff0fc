package link

import (
	"time"

	"assimilation/wire"
)

// Event is what Receive found out: one of Received, Malformed, Delivered,
// Refused, EchoReply.
type Event interface{ isEvent() }

// Received is a complete message. The owner answers with Done or Refuse; until
// then it counts against what the peer may send.
type Received struct {
	ID      uint32
	Message wire.Message
}

// Malformed is a message that arrived whole but cannot be read. The link has
// refused it with the reason already.
type Malformed struct {
	ID     uint32
	Reason wire.Reason
	Err    error
}

// Delivered says that the peer has called Done for our message.
type Delivered struct{ ID uint32 }

// Refused says that the peer has refused our message. It will not be sent
// again.
type Refused struct {
	ID     uint32
	Reason wire.Reason
}

// EchoReply answers an Echo.
type EchoReply struct{ RTT time.Duration }

func (Received) isEvent()  {}
func (Malformed) isEvent() {}
func (Delivered) isEvent() {}
func (Refused) isEvent()   {}
func (EchoReply) isEvent() {}
