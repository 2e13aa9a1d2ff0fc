package collect

import (
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/process"
	"assimilation/discovery/internal/sockdiag"
)

// standing remembers since when UDP sockets on ephemeral ports are there.
type standing map[udpSocket]time.Time

type udpSocket struct {
	inode         uint32
	local, remote netip.AddrPort
}

// filter leaves out the UDP sockets on ephemeral ports that do not stand for
// standUDP yet, and forgets those that are gone.
func (t *standing) filter(sockets []sockdiag.Socket, ephemeral portRange, now time.Time) []sockdiag.Socket {
	since := standing{}
	out := sockets[:0]
	for _, s := range sockets {
		if s.Protocol == sockdiag.UDP && ephemeral.contains(s.Local.Port()) {
			k := udpSocket{s.Inode, s.Local, s.Remote}
			first, known := (*t)[k]
			if !known {
				first = now
			}
			since[k] = first
			if now.Sub(first) < standUDP {
				continue
			}
		}
		out = append(out, s)
	}
	*t = since
	return out
}

type portRange struct{ first, last uint16 }

func (r portRange) contains(port uint16) bool { return port >= r.first && port <= r.last }

// ephemeralPorts reads from which ports the kernel chooses (ip(7)).
func ephemeralPorts(proc fs.FS) (portRange, error) {
	text, err := process.Text(proc, "sys/net/ipv4/ip_local_port_range", maxProcFile)
	if err != nil {
		return portRange{}, fmt.Errorf("reading the range of ephemeral ports: %w", err)
	}
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return portRange{}, fmt.Errorf("range of ephemeral ports is %.40q", text)
	}
	var bounds [2]uint16
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			return portRange{}, fmt.Errorf("range of ephemeral ports is %.40q", text)
		}
		bounds[i] = uint16(n)
	}
	return portRange{bounds[0], bounds[1]}, nil
}

// missingCapability returns the first of the kind's rights that this process
// lacks, or "".
func missingCapability(proc fs.FS) (discovery.Capability, error) {
	status, err := process.Text(proc, "self/status", maxProcFile)
	if err != nil {
		return "", fmt.Errorf("reading own capabilities: %w", err)
	}
	_, after, found := strings.Cut(string(status), "\nCapEff:")
	digits, _, _ := strings.Cut(after, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 64)
	if !found || err != nil {
		return "", fmt.Errorf("own capabilities are %.40q", digits)
	}
	const dacReadSearch, sysPtrace = 2, 19 // capabilities(7), linux/capability.h
	switch {
	case set&(1<<sysPtrace) == 0:
		return discovery.SysPtrace, nil
	case set&(1<<dacReadSearch) == 0:
		return discovery.DACReadSearch, nil
	}
	return "", nil
}
