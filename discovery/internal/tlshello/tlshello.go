// Package tlshello asks a TLS server for the certificates that it serves, and hangs up.
// It verifies nothing, and proves nothing: who is asked is on the same host.
//
// It greets as a client of TLS 1.2 (RFC 5246), to which the certificates come in the
// clear; a server that speaks TLS 1.3 alone (RFC 8446) is greeted again, and its answer
// decrypted. The package crypto/tls would cost the probe 1.2 megabytes.
package tlshello

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Answer is what a server said.
type Answer struct {
	// Versions are those that were seen to work: "TLS 1.0" to "TLS 1.3". Whether a server
	// that spoke 1.2 could have spoken 1.3 it says by itself (RFC 8446, 4.1.3).
	Versions []string
	Chain    [][]byte // certificates in DER, the server's own first
}

// Limits of an answer.
const (
	maxAnswer = 64 << 10 // bytes in all; a chain has some 4 kB
	maxChain  = 16
)

// ErrNotTLS is the error of an answer by something else than TLS.
var ErrNotTLS = errors.New("the answer is not TLS")

// ErrTooFew is the error of a server of TLS that wants what this client does not have.
var ErrTooFew = errors.New("the server wants what this client does not have")

// Alert is the error of a server that refused the greeting (RFC 8446, 6).
type Alert byte

func (a Alert) Error() string { return fmt.Sprintf("refused with alert %d", byte(a)) }

// Alerts after which the other greeting may be answered.
const (
	handshakeFailure     Alert = 40
	protocolVersion      Alert = 70
	insufficientSecurity Alert = 71
	missingExtension     Alert = 109
)

// Ask greets the server at an address; name is the server name that it is asked for,
// none where it is empty.
func Ask(ctx context.Context, server netip.AddrPort, name string) (*Answer, error) {
	answer, err := greet(ctx, server, func(conn net.Conn) (*Answer, error) { return ask12(conn, name) })
	switch alert, is := errors.AsType[Alert](err); {
	case is && (alert == protocolVersion || alert == handshakeFailure || alert == insufficientSecurity || alert == missingExtension):
		return greet(ctx, server, func(conn net.Conn) (*Answer, error) { return ask13(conn, name, ciphers13) })
	default:
		return answer, err
	}
}

// greet connects from the server's own address, which is this host's. A listener may be
// bound to one that is another's (ip(7), IP_FREEBIND): no packet goes there.
func greet(ctx context.Context, server netip.AddrPort, ask func(net.Conn) (*Answer, error)) (*Answer, error) {
	own := net.TCPAddrFromAddrPort(netip.AddrPortFrom(server.Addr(), 0))
	conn, err := (&net.Dialer{LocalAddr: own}).DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return ask(conn)
}

// downgraded ends the random number of a server that speaks TLS 1.3 as well.
const downgraded = "DOWNGRD\x01"

// ask12 greets as a client of TLS 1.2.
func ask12(conn net.Conn, name string) (*Answer, error) {
	var random [32]byte
	rand.Read(random[:]) // never fails since Go 1.24
	hello := hello{random: random[:], ciphers: ciphers12, name: name}
	if _, err := conn.Write(record(hello.message())); err != nil {
		return nil, err
	}
	return read12(newRecords(conn))
}

func read12(in *records) (*Answer, error) {
	sort, body, _, err := in.message()
	if err != nil {
		return nil, err
	}
	server, err := parseServerHello(sort, body)
	if err != nil {
		return nil, err
	}
	if server.version < 0x0301 || server.version > 0x0303 {
		return nil, fmt.Errorf("the server chose version %#04x", server.version)
	}
	answer := &Answer{Versions: []string{versionName(server.version)}}
	if string(server.random[24:]) == downgraded {
		answer.Versions = append(answer.Versions, versionName(0x0304))
	}
	if sort, body, _, err = in.message(); err != nil {
		return nil, err
	}
	if answer.Chain, err = parseChain(sort, body, false); err != nil {
		return nil, err
	}
	return answer, nil
}

func versionName(version uint16) string {
	return "TLS 1." + string(rune('0'+(version-0x0301)))
}
