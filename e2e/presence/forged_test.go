package presence_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"assimilation/e2e/world"
	"assimilation/wire"
)

// Somebody who sees heartbeats on the wire sends them again, sends them back, and
// sends damaged ones: counters and a finding change, and nothing else.
func TestForgedHeartbeatsOnTheWire(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it listens on the wire")
	}
	w := world.New(t, world.Options{})
	status := world.FreeTCP(t)
	_, address := w.Relay(world.Node{Name: "relay", HTTP: status})
	for i := range 4 {
		name := fmt.Sprint("host", i)
		w.Probe(world.Node{Name: name, Host: name, Relay: address})
	}
	for i := range 4 {
		w.HostUp(fmt.Sprint("host", i), time.Minute)
	}
	world.Eventually(t, time.Minute, "all neighbours hear each other", func() (bool, string) { return beating(status) })

	relay := netip.MustParseAddrPort(address)
	toRelay := heard(t, func(h heartbeat) bool { return h.to == relay })
	// Others may test on this loopback, too: a probe of ours is known by its relay.
	between := heard(t, func(h heartbeat) bool { return h.from == toRelay.from && h.to != relay })
	attacker, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer attacker.Close()
	for _, h := range []heartbeat{between, toRelay} {
		forged := slices.Clone(h.packet)
		forged[wire.HeartbeatSize-1] ^= 1
		ahead := slices.Clone(h.packet)
		binary.BigEndian.PutUint64(ahead[6:], 1<<40) // would make all that follow look old
		for range 20 {
			for _, m := range []struct {
				packet []byte
				to     netip.AddrPort
			}{{h.packet, h.to}, {h.packet, h.from}, {forged, h.to}, {ahead, h.to}} {
				if _, err := attacker.WriteTo(m.packet, net.UDPAddrFromAddrPort(m.to)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	world.Eventually(t, 2*time.Minute, "a finding at the service", func() (bool, string) {
		list := w.Assim("findings")
		return strings.Contains(list, "heartbeat"), list
	})
	for _, reason := range []string{"forged", "replayed", "forged at a probe", "replayed at a probe"} {
		world.Eventually(t, time.Minute, "heartbeats counted as "+reason, func() (bool, string) {
			metrics := page(t, status, "/metrics")
			return strings.Contains(metrics, fmt.Sprintf("assim_relay_heartbeats_dropped_total{reason=%q}", reason)), metrics
		})
	}
	if verdicts := page(t, status, "/verdicts"); strings.TrimSpace(verdicts) != "[]" {
		t.Errorf("verdicts: %s", verdicts)
	}
	if ok, edges := beating(status); !ok {
		t.Errorf("neighbours do not hear each other any more: %s", edges)
	}
}

func page(t *testing.T, relay, path string) string {
	t.Helper()
	answer, err := http.Get("http://" + relay + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// heartbeat is one as it was seen on loopback.
type heartbeat struct {
	from, to netip.AddrPort
	packet   []byte
}

// heard listens on loopback until a heartbeat comes that is wanted.
func heard(t *testing.T, wanted func(heartbeat) bool) heartbeat {
	t.Helper()
	const protocol = unix.ETH_P_IP<<8&0xff00 | unix.ETH_P_IP>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: lo.Index}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 30}); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1<<16)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err == unix.EINTR { // by the runtime's own signals
			continue
		}
		if err != nil {
			t.Fatalf("listening on loopback: %v", err)
		}
		if h, ok := parse(buffer[:n]); ok && wanted(h) {
			return h
		}
	}
	t.Fatal("no such heartbeat came")
	return heartbeat{}
}

// parse reads an IPv4 packet with UDP (RFC 791, 768).
func parse(b []byte) (heartbeat, bool) {
	if len(b) < 20 || b[9] != unix.IPPROTO_UDP {
		return heartbeat{}, false
	}
	header := int(b[0]&15) * 4
	if len(b) != header+8+wire.HeartbeatSize {
		return heartbeat{}, false
	}
	udp, packet := b[header:], slices.Clone(b[header+8:])
	if _, err := wire.HeartbeatEdge(packet); err != nil {
		return heartbeat{}, false
	}
	return heartbeat{
		netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), binary.BigEndian.Uint16(udp)),
		netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), binary.BigEndian.Uint16(udp[2:])), packet,
	}, true
}
