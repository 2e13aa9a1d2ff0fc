package frames

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/framestest"
	"assimilation/discovery/internal/netlab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mac = "02:00:00:00:00:11"

// TestFilters runs the programs in an interpreter, that of golang.org/x/net. It
// knows no packet types, so those instructions load 0 (PACKET_HOST) there.
func TestFilters(t *testing.T) {
	lldp := framestest.LLDP(mac, framestest.Port(mac, "p", 120))
	cdp := framestest.CDP(mac, 2, 180, framestest.CDPText(1, "r1"))
	arp := framestest.ARP(1, mac, "10.0.0.1", "10.0.0.2")
	nd := framestest.ND(mac, "fe80::1", 135, make([]byte, 20)...)
	to := func(frame []byte, group string) []byte { return append(framestest.MAC(group), frame[6:]...) }
	with := func(frame []byte, at int, b byte) []byte {
		frame = bytes.Clone(frame)
		frame[at] = b
		return frame
	}
	for _, c := range []struct {
		name   string
		filter Filter
		frame  []byte
		passes bool
	}{
		{"LLDP", LLDP, lldp, true},
		{"LLDP to the nearest customer bridge", LLDP, to(lldp, "01:80:c2:00:00:00"), true},
		{"LLDP to the nearest non-TPMR bridge", LLDP, to(lldp, "01:80:c2:00:00:03"), true},
		{"LLDP to somebody", LLDP, to(lldp, mac), false},
		{"LLDP to another group", LLDP, to(lldp, "01:80:c2:00:00:01"), false},
		{"LLDP to a look-alike", LLDP, to(lldp, "01:81:c2:00:00:0e"), false},
		{"LLDP of nothing", LLDP, lldp[:4], false},
		{"CDP", CDP, cdp, true},
		{"VTP", CDP, with(cdp, 21, 3), false},
		{"spanning tree", CDP, with(cdp, 14, 0x42), false},
		{"CDP to somebody", CDP, to(cdp, mac), false},
		{"CDP to a look-alike", CDP, with(cdp, 1, 1), false},
		{"ARP request", ARP, arp, true},
		{"ARP reply", ARP, framestest.ARP(2, mac, "10.0.0.1", "10.0.0.2"), true},
		{"ARP of another operation", ARP, framestest.ARP(8, mac, "10.0.0.1", "10.0.0.2"), false},
		{"ARP on other hardware", ARP, with(arp, 15, 6), false},
		{"ARP with long addresses", ARP, with(arp, 18, 8), false},
		{"router solicitation", ND, framestest.ND(mac, "fe80::1", 133, make([]byte, 4)...), true},
		{"neighbour solicitation", ND, nd, true},
		{"redirect", ND, framestest.ND(mac, "fe80::1", 137, make([]byte, 36)...), true},
		{"echo request", ND, framestest.ND(mac, "fe80::1", 128, make([]byte, 20)...), false},
		{"multicast listener", ND, framestest.ND(mac, "fe80::1", 143, make([]byte, 20)...), false},
		{"forwarded by a router", ND, with(nd, 21, 254), false},
		{"TCP", ND, with(nd, 20, 6), false},
	} {
		var raw []bpf.RawInstruction
		for _, i := range c.filter.program {
			if i.K == packetType {
				i.Code, i.K = unix.BPF_LD|unix.BPF_IMM, unix.PACKET_HOST
			}
			raw = append(raw, bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K})
		}
		program, all := bpf.Disassemble(raw)
		vm, err := bpf.NewVM(program)
		if err != nil || !all {
			t.Fatalf("%s: not a program: %v", c.name, err)
		}
		if n, err := vm.Run(c.frame); err != nil || n > 0 != c.passes {
			t.Errorf("%s: kept %d bytes, %v; want %v", c.name, n, err, c.passes)
		}
	}
}

// TestListen has the kernel itself filter, among traffic that must not come.
func TestListen(t *testing.T) {
	lab, far := netlab.New(t), netlab.New(t)
	lab.IP(t, "link add near address 02:00:00:00:00:01 type veth peer name far netns "+far.PID(), "link set near up", "addr add 10.1.0.1/24 dev near")
	far.IP(t, "link set far up", "addr add 10.1.0.2/24 dev far")
	filters := []Filter{LLDP, CDP, ARP, ND}
	type heard struct {
		filter int
		data   []byte
	}
	got := make(chan heard, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	var ends []<-chan struct{}
	ready := make(chan error)
	for i, f := range filters {
		ends = append(ends, lab.Go(t, func() {
			s, err := Open(f)
			if err == nil && i == 0 {
				var link *net.Interface
				if link, err = net.InterfaceByName("near"); err == nil {
					err = s.Join(link.Index, [6]byte(framestest.MAC("01:80:c2:00:00:0e")))
				}
			}
			ready <- err
			if err == nil {
				defer s.Close()
				err = s.Listen(ctx, func(f Frame) { got <- heard{i, bytes.Clone(f.Data)} })
			}
			if err != nil {
				t.Error(err)
			}
		}))
		if err := <-ready; err != nil {
			t.Fatal(err)
		}
	}
	frames := [][]byte{
		framestest.LLDP(mac, framestest.Port(mac, "p", 120)),
		framestest.CDP(mac, 2, 180, framestest.CDPText(1, "r1")),
		framestest.ARP(1, mac, "10.1.0.9", "10.1.0.8"),
		framestest.ND(mac, "fe80::9", 135, make([]byte, 20)...),
	}
	far.Do(func() {
		c, err := net.Dial("udp", "10.1.0.1:9")
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		for range 10 {
			_, _ = c.Write([]byte("what nobody listens to"))
		}
	})
	for i, frame := range frames {
		framestest.Send(t, far, "far", frame)
		for found := false; !found; {
			select {
			case h := <-got:
				if len(h.data) < 14 || filters[h.filter].EtherType == unix.ETH_P_ARP && h.data[13] != 6 {
					t.Errorf("filter %d let pass %x", h.filter, h.data)
				}
				found = h.filter == i && bytes.Equal(h.data, frame[:min(len(frame), len(h.data))])
			case <-time.After(time.Minute):
				t.Fatalf("frame %d was not heard", i)
			}
		}
	}
	cancel()
	for _, e := range ends {
		<-e
	}
}
