package collect

import (
	"encoding/binary"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/netlink"
	"assimilation/discovery/internal/netlinktest"
	"assimilation/discovery/internal/rtnetlink"
	"assimilation/discovery/internal/sockdiag"
)

// host is a made-up host: its sockets and processes are what a test says, its
// links and addresses those of the network kind's laboratory.
type host struct {
	t       *testing.T
	sockets []sockdiag.Socket
	proc    fstest.MapFS
	held    map[string][]uint32 // sockets by process
	scans   int                 // how often all processes were listed
	now     time.Time
	route   string
}

const allCapabilities = "000001ffffffffff"

func newHost(t *testing.T) *host {
	t.Helper()
	record, err := os.ReadFile("../../network/testdata/lab.netlink")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, proc: fstest.MapFS{}, held: map[string][]uint32{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), route: string(record)}
	h.file("self/status", "Name:\tprobe\nCapEff:\t"+allCapabilities+"\n")
	h.file("sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
	return h
}

func (h *host) file(name, content string) {
	h.proc[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o444}
}

// process adds a process that holds the sockets of these inodes.
func (h *host) process(pid int, exe string, uid int, argv []string, inodes ...uint32) {
	dir := strconv.Itoa(pid) + "/"
	id := strconv.Itoa(uid)
	h.file(dir+"status", "Name:\tcomm\nUid:\t0\t"+id+"\t0\t0\nGid:\t0\t"+id+"\t0\t0\n")
	h.file(dir+"cmdline", strings.Join(argv, "\x00")+"\x00")
	h.file(dir+"cgroup", "0::/system.slice/x.service\n")
	h.proc[dir+"exe"] = &fstest.MapFile{Data: []byte(exe), Mode: fs.ModeSymlink}
	h.held[strconv.Itoa(pid)] = inodes
}

func (h *host) kill(pid int) {
	delete(h.held, strconv.Itoa(pid))
	for name := range h.proc {
		if strings.HasPrefix(name, strconv.Itoa(pid)+"/") {
			delete(h.proc, name)
		}
	}
}

func (h *host) listen(protocol sockdiag.Protocol, local string, inode uint32) *sockdiag.Socket {
	at := netip.MustParseAddrPort(local)
	state := sockdiag.Listen
	if protocol == sockdiag.UDP {
		state = sockdiag.Close
	}
	h.sockets = append(h.sockets, sockdiag.Socket{Protocol: protocol, V6: at.Addr().Is6(), State: state, Local: at, Inode: inode})
	return &h.sockets[len(h.sockets)-1]
}

func (h *host) connect(protocol sockdiag.Protocol, local, remote string, inode uint32) {
	at := netip.MustParseAddrPort(local)
	h.sockets = append(h.sockets, sockdiag.Socket{
		Protocol: protocol, V6: at.Addr().Is6(), State: sockdiag.Established,
		Local: at, Remote: netip.MustParseAddrPort(remote), Inode: inode,
	})
}

func (h *host) close(inode uint32) {
	kept := h.sockets[:0]
	for _, s := range h.sockets {
		if s.Inode != inode {
			kept = append(kept, s)
		}
	}
	h.sockets = kept
}

func (h *host) collector() *Collector {
	return New(Sources{
		Proc:  countingFS{h.proc, &h.scans},
		Held:  func(pid string) []uint32 { return h.held[pid] },
		Route: func() (rtnetlink.Conn, error) { return netlinktest.Replay(h.route) },
		Diag:  func() (sockdiag.Conn, error) { return kernel{h}, nil },
		Now:   func() time.Time { return h.now },
	})
}

// countingFS counts how often the list of processes is read.
type countingFS struct {
	fstest.MapFS
	scans *int
}

func (c countingFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "." {
		*c.scans++
	}
	return c.MapFS.ReadDir(name)
}

// kernel answers sock_diag requests from the host's list.
type kernel struct{ *host }

func (k kernel) Close() error { return nil }

func (k kernel) Execute(m netlink.Message) ([]netlink.Message, error) {
	family, protocol := m.Data[0], sockdiag.Protocol(m.Data[1])
	states := binary.NativeEndian.Uint32(m.Data[4:])
	var out []netlink.Message
	for _, s := range k.sockets {
		if s.Protocol == protocol && s.V6 == (family == unix.AF_INET6) && states&(1<<s.State) != 0 {
			out = append(out, netlink.Message{Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY}, Data: encode(s)})
		}
	}
	return out, nil
}

// encode writes a struct inet_diag_msg.
func encode(s sockdiag.Socket) []byte {
	b := make([]byte, 72, 80)
	b[0], b[1] = unix.AF_INET, byte(s.State)
	put := func(ip netip.Addr, to []byte) {
		switch {
		case !ip.IsValid():
		case s.V6:
			copy(to, ip.AsSlice())
		default:
			v4 := ip.As4()
			copy(to, v4[:])
		}
	}
	if s.V6 {
		b[0] = unix.AF_INET6
	}
	binary.BigEndian.PutUint16(b[4:], s.Local.Port())
	binary.BigEndian.PutUint16(b[6:], s.Remote.Port())
	put(s.Local.Addr(), b[8:24])
	put(s.Remote.Addr(), b[24:40])
	binary.NativeEndian.PutUint32(b[40:], uint32(s.Device))
	binary.NativeEndian.PutUint32(b[64:], s.UID)
	binary.NativeEndian.PutUint32(b[68:], s.Inode)
	if s.V6Only {
		b = append(b, 5, 0, 11, 0, 1, 0, 0, 0)
	}
	return b
}
