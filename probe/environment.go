package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"assimilation/probe/internal/agent"
	"assimilation/probe/internal/udp"
	"assimilation/tenancy"
	"assimilation/wire"
)

const (
	resolveWithin = 2 * time.Second
	maxAddresses  = 8 // of one name
)

// credential reads the token and says what is wrong with it.
func credential(text string) agent.Credential {
	if text = strings.TrimSpace(text); text == "" {
		return agent.Credential{}
	}
	token, err := tenancy.ParseToken(text)
	if err != nil {
		return agent.Credential{Reason: wire.Malformed, Err: err}
	}
	if token.Kind != tenancy.EnrolToken {
		return agent.Credential{Reason: wire.WrongKind, Err: fmt.Errorf("a probe takes a token that begins with asm_%s_; this one begins with asm_%s_", tenancy.EnrolToken, token.Kind)}
	}
	return agent.Credential{Token: &token}
}

// opener says how the agent gets a socket. A probe whose relay is known to be
// on this host leaves the protocol's port to it, running or not.
func opener(config Config) func(anyPort bool) (agent.Socket, error) {
	relays := config.Relays
	if t := credential(config.Token).Token; len(relays) == 0 && t != nil && t.Address != "" {
		relays = []string{t.Address}
	}
	return func(anyPort bool) (agent.Socket, error) {
		if config.Listen == "" && (anyPort || anyLocal(relays)) {
			return asSocket(udp.OpenAny())
		}
		return asSocket(udp.Open(config.Listen))
	}
}

// asSocket keeps a nil *udp.Socket from becoming a non-nil interface.
func asSocket(s *udp.Socket, err error) (agent.Socket, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// anyLocal reports whether one of the addresses is this host's own.
func anyLocal(addresses []string) bool {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			continue
		}
		ip := net.ParseIP(host)
		if host == "localhost" || ip.IsLoopback() {
			return true
		}
		for _, o := range own {
			if n, ok := o.(*net.IPNet); ok && n.IP.Equal(ip) {
				return true
			}
		}
	}
	return false
}

// Resolve turns host:port, or a host alone, into addresses.
func Resolve(ctx context.Context, hostPort string) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(hostPort)
	if err != nil {
		host, portText = strings.Trim(hostPort, "[]"), strconv.Itoa(wire.Port)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("relay address %q has no valid port", hostPort)
	}
	ctx, cancel := context.WithTimeout(ctx, resolveWithin)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("looking up relay %q: %w", host, err)
	}
	var found []netip.AddrPort
	for _, ip := range ips[:min(len(ips), maxAddresses)] {
		found = append(found, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return found, nil
}

// machineID is how wire.Enrol names the machine; nil where it has no id
// (machine-id(5)).
func machineID(site [32]byte) []byte {
	id, err := os.ReadFile("/etc/machine-id")
	if id = bytes.TrimSpace(id); err != nil || len(id) == 0 {
		return nil
	}
	h := sha256.New()
	h.Write([]byte("assimilation machine\x00"))
	h.Write(site[:])
	h.Write(id)
	return h.Sum(nil)
}

// stopCause says why the probe is being stopped. While a host goes down, nobody may
// log in any more, and the file says so (systemd-user-sessions(8); it also stands
// there while a host starts, with another text). The probe's unit is ordered so that
// this is settled before the probe is stopped.
func stopCause(nologin string) string {
	if b, err := os.ReadFile(nologin); err == nil && bytes.HasPrefix(b, []byte("System is going down")) {
		return "host shutdown"
	}
	return "signal"
}
