package rtnetlink

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/netlink"
)

// Conn is what a dump needs of a netlink socket; *netlink.Conn is one.
type Conn interface {
	Execute(netlink.Message) ([]netlink.Message, error)
	Close() error
}

// Dial opens a socket of NETLINK_ROUTE in the caller's network namespace.
func Dial() (Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening rtnetlink: %w", err)
	}
	return conn, nil
}

var errShort = errors.New("message is shorter than its header")

// dumpAttempts is how often a dump is asked for when the kernel says that its
// table changed in the meantime (NLM_F_DUMP_INTR).
const dumpAttempts = 4

// Dump asks for a whole table and returns the messages of the wanted type.
func Dump(conn Conn, request, want netlink.Type, body []byte) ([]netlink.Message, error) {
	for range dumpAttempts {
		replies, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: request, Flags: netlink.Request | netlink.Dump},
			Data:   body,
		})
		if err != nil {
			return nil, fmt.Errorf("dumping netlink table %d: %w", request, err)
		}
		interrupted := false
		wanted := replies[:0]
		for _, m := range replies {
			interrupted = interrupted || m.Header.Flags&netlink.DumpInterrupted != 0
			if m.Header.Type == want {
				wanted = append(wanted, m)
			}
		}
		if !interrupted {
			return wanted, nil
		}
	}
	return nil, fmt.Errorf("dumping netlink table %d: it changed during each of %d attempts", request, dumpAttempts)
}

// dumpAll parses every message of a dump. One that cannot be read spoils the
// whole: an incomplete table would look like a change on the host.
func dumpAll[T any](conn Conn, request, want netlink.Type, body []byte, parse func([]byte) (T, error)) ([]T, error) {
	messages, err := Dump(conn, request, want, body)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(messages))
	for _, m := range messages {
		v, err := parse(m.Data)
		if err != nil {
			return nil, fmt.Errorf("reading netlink message %d: %w", want, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// attributes calls each for every attribute after a header of size bytes.
func attributes(b []byte, size int, each func(kind uint16, data []byte) error) error {
	if len(b) < size {
		return errShort
	}
	return netlink.Attributes(b[size:], each)
}

// uint32Of reads an attribute of four bytes.
func uint32Of(kind uint16, data []byte) (uint32, error) {
	if len(data) < 4 {
		return 0, fmt.Errorf("attribute %d has %d bytes instead of 4", kind, len(data))
	}
	return binary.NativeEndian.Uint32(data), nil
}
