package udp

import (
	"errors"
	"net"
	"time"
)

// standInPause is between two connections that are accepted: a flood of them costs
// next to nothing, and waits in the kernel's queue.
const standInPause = 10 * time.Millisecond

// The stand-in is a TCP port whose connections the kernel accepts even while the
// probe is frozen: so a relay can tell a frozen probe from a dead host. Nothing is
// read or written; they are closed at once.

// openStandIn takes the port if it is free, else any; nil: there is none to have.
func openStandIn(ip net.IP, port uint16) *net.TCPListener {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: int(port)})
	if err != nil {
		l, err = net.ListenTCP("tcp", &net.TCPAddr{IP: ip})
	}
	if err != nil {
		return nil
	}
	return l
}

func (s *Socket) turnAway() {
	for {
		c, err := s.standIn.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			_ = c.Close() // in good order: a reset could reach the caller before its connect returns
		}
		select {
		case <-time.After(standInPause):
		case <-s.closed:
			return
		}
	}
}
