package udp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"assimilation/probe/internal/udp"
)

const victim = "ASSIM_UDP_TEST_VICTIM"

// TestMain is also the process that tests freeze and kill: one with a socket.
func TestMain(m *testing.M) {
	address := os.Getenv(victim)
	if address == "" {
		os.Exit(m.Run())
	}
	s, err := udp.Open(address)
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Port(), s.StandIn())
	bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

// start runs a process with a socket at the address.
func start(t *testing.T, address string) (p *os.Process, port, standIn uint16) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), victim+"="+address)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); in.Close(); c.Wait() })
	if _, err := fmt.Fscan(out, &port, &standIn); err != nil {
		t.Fatal(err)
	}
	return c.Process, port, standIn
}

// The kernel answers a connect for a process that is stopped.
func TestTheKernelStandsInForAFrozenProbe(t *testing.T) {
	p, _, standIn := start(t, ":0")
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		if host == "::1" && !hasIPv6() {
			continue
		}
		c, err := net.DialTimeout("tcp", netip.AddrPortFrom(netip.MustParseAddr(host), standIn).String(), 30*time.Second)
		if err != nil {
			t.Errorf("connecting to a frozen process: %v", err)
			continue
		}
		c.Close()
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", standIn)); err == nil {
		c.Close()
		t.Error("somebody answers for a dead process")
	}
}

func hasIPv6() bool {
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err == nil {
		c.Close()
	}
	return err == nil
}

// Whoever connects is turned away without a word, one or many.
func TestConnectionsAreClosedAtOnce(t *testing.T) {
	s := open(t, "127.0.0.1:0")
	for range 100 {
		c, err := net.Dial("tcp", loopback(s.StandIn()).String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(time.Minute))
		if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
		c.Close()
	}
}

func TestStandInHasTheSamePort(t *testing.T) {
	for range 20 { // somebody else may have the one or the other
		if s := open(t, "127.0.0.1:0"); s.StandIn() == s.Port() {
			return
		}
	}
	t.Error("never the same port")
}

func TestStandInTakesAnotherPortWhereItsOwnIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	second, err := udp.Open(fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Skip("the UDP port of the same number is in use: ", err)
	}
	defer second.Close()
	if s := second.StandIn(); s == 0 || s == port {
		t.Errorf("TCP port %d", s)
	}
}

// A host where nobody listens says so, and who it is; what else is sent and
// received is not disturbed.
func TestRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		if host == "::1" && !hasIPv6() {
			continue
		}
		t.Run(host, func(t *testing.T) {
			ip := netip.MustParseAddr(host)
			address := "127.0.0.1:0"
			if ip.Is6() {
				address = "[::1]:0"
			}
			p, port, _ := start(t, address)
			gone := netip.AddrPortFrom(ip, port)
			a, b := open(t, ":0"), open(t, ":0")
			if err := a.Send(gone, []byte("beat")); err != nil {
				t.Fatal(err)
			}
			if err := p.Kill(); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Wait(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ticks := time.NewTicker(20 * time.Millisecond)
			defer ticks.Stop()
			sent, received := 0, 0
			for refused := false; !refused; {
				select {
				case from := <-a.Refused():
					if from != gone {
						t.Fatalf("refused by %v, want %v", from, gone)
					}
					refused = true
				case <-ctx.Done():
					t.Fatal("no refusal came")
				case <-ticks.C:
					for _, to := range []netip.AddrPort{gone, netip.AddrPortFrom(ip, b.Port())} {
						if err := a.Send(to, []byte("beat")); err != nil {
							t.Fatal(err)
						}
					}
					sent++
				}
			}
			for range 50 { // many refusals in a row, and every other datagram arrives
				for _, to := range []netip.AddrPort{gone, netip.AddrPortFrom(ip, b.Port()), gone} {
					if err := a.Send(to, []byte("beat")); err != nil {
						t.Fatal(err)
					}
				}
				sent++
				if received < sent {
					receive(t, b)
					received++
				}
			}
			for ; received < sent; received++ {
				receive(t, b)
			}
			if err := b.Send(netip.AddrPortFrom(ip, a.Port()), []byte("there")); err != nil {
				t.Fatal(err)
			}
			if d := receive(t, a); string(d.Data) != "there" {
				t.Errorf("%q", d.Data)
			}
		})
	}
}

// An error that is not about a port, here a route that says no, is none of a
// neighbour's probe.
func TestOtherErrorsAreNoRefusals(t *testing.T) {
	a := open(t, ":0")
	err := a.Send(netip.MustParseAddrPort("255.255.255.255:9"), []byte("x"))
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Skipf("this host sends to everybody: %v", err)
	}
	select {
	case from := <-a.Refused():
		t.Errorf("refused by %v", from)
	default:
	}
}
