//go:build !linux

package portable

import (
	"context"
	"net/netip"
	"syscall"

	"github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// allSockets lists those of TCP and UDP, with who holds them.
func allSockets(ctx context.Context) ([]Socket, error) {
	all, err := net.ConnectionsWithContext(ctx, "inet")
	if err != nil {
		return nil, err
	}
	owners := map[int32]owner{}
	list := make([]Socket, 0, len(all))
	for _, c := range all {
		who, known := owners[c.Pid]
		if !known {
			who = ownerOf(ctx, c.Pid)
			owners[c.Pid] = who
		}
		s := Socket{protocol: "tcp", local: endpoint(c.Laddr), remote: endpoint(c.Raddr), owner: who, listening: c.Status == "LISTEN"}
		if c.Type == syscall.SOCK_DGRAM {
			s.protocol, s.listening = "udp", c.Raddr.Port == 0 && c.Laddr.Port != 0 && c.Laddr.Port < 49152 // IANA: beyond are ephemeral ones
		}
		if s.local.IsValid() {
			list = append(list, s)
		}
	}
	return list, nil
}

func endpoint(a net.Addr) netip.AddrPort {
	address, err := netip.ParseAddr(a.IP)
	if err != nil {
		return netip.AddrPort{} // "*", or none
	}
	return netip.AddrPortFrom(address.Unmap(), uint16(a.Port))
}

// ownerOf asks for a process. What may not be asked, or is gone, is left out.
func ownerOf(ctx context.Context, pid int32) owner {
	who := owner{uid: -1}
	p, err := process.NewProcessWithContext(ctx, pid)
	if err != nil {
		return who
	}
	who.name, _ = p.NameWithContext(ctx)
	who.exe, _ = p.ExeWithContext(ctx)
	who.argv, _ = p.CmdlineSliceWithContext(ctx)
	if uids, err := p.UidsWithContext(ctx); err == nil && len(uids) > 0 {
		who.uid = int64(uids[min(1, len(uids)-1)]) // the effective one is the second
	}
	return who
}
