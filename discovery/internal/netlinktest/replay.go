// Package netlinktest records what a kernel answers to netlink requests, and
// answers the same from the record.
//
// A record is text: a line "> TYPE BODY" for a request and "< TYPE FLAGS BODY"
// for each message of its answer, numbers in decimal, bodies in hexadecimal.
package netlinktest

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"assimilation/discovery/internal/netlink"
)

// Conn is what is recorded, and what a record plays.
type Conn interface {
	Execute(netlink.Message) ([]netlink.Message, error)
	Close() error
}

// Record returns a connection that passes everything to conn and writes it
// down.
func Record(conn Conn, to io.Writer) Conn { return &recorder{conn, to} }

type recorder struct {
	Conn
	to io.Writer
}

func (r *recorder) Execute(m netlink.Message) ([]netlink.Message, error) {
	replies, err := r.Conn.Execute(m)
	fmt.Fprintf(r.to, "> %d %x\n", m.Header.Type, m.Data)
	for _, reply := range replies {
		fmt.Fprintf(r.to, "< %d %d %x\n", reply.Header.Type, reply.Header.Flags, reply.Data)
	}
	return replies, err
}

// Replay returns a connection that answers from a record. A request that is
// not in it is an error.
func Replay(record string) (Conn, error) {
	p := player{}
	request := ""
	for i, line := range strings.Split(strings.TrimSpace(record), "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 3 && fields[0] == ">":
			request = fields[1] + " " + fields[2]
			p[request] = nil
		case len(fields) == 4 && fields[0] == "<":
			var m netlink.Message
			if _, err := fmt.Sscan(fields[1]+" "+fields[2], &m.Header.Type, &m.Header.Flags); err != nil {
				return nil, fmt.Errorf("record, line %d: %w", i+1, err)
			}
			var err error
			if m.Data, err = hex.DecodeString(fields[3]); err != nil {
				return nil, fmt.Errorf("record, line %d: %w", i+1, err)
			}
			p[request] = append(p[request], m)
		default:
			return nil, fmt.Errorf("record, line %d is neither request nor answer", i+1)
		}
	}
	return p, nil
}

type player map[string][]netlink.Message

func (p player) Execute(m netlink.Message) ([]netlink.Message, error) {
	replies, known := p[fmt.Sprintf("%d %x", m.Header.Type, m.Data)]
	if !known {
		return nil, fmt.Errorf("request of type %d is not in the record", m.Header.Type)
	}
	return append([]netlink.Message(nil), replies...), nil
}

func (p player) Close() error { return nil }
