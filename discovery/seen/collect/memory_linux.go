package collect

import (
	"cmp"
	"net"
	"net/netip"
	"time"

	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/rtnetlink"
	"assimilation/discovery/seen"
)

// maxSeen bounds the memory, should somebody on the link make up addresses. Who
// came first stays: a flood cannot push out those that are there.
const maxSeen = 65536

// settle is how long a new hardware address stands before the next is believed:
// two hosts that quarrel about an address do not make a change of every frame.
const settle = time.Minute

// memory holds whom the links told of within seen.KeepAfterLastSight.
type memory struct {
	began time.Time
	heard map[place]sight
	full  bool // somebody was left out since the last call of current
}

type place struct {
	link int
	ip   netip.Addr
}

// sight has its times in seconds since the memory began: it is small, for there
// may be many.
type sight struct {
	mac         [6]byte
	router      bool
	at, changed uint32
}

func newMemory(now time.Time) memory { return memory{began: now, heard: map[place]sight{}} }

// note takes in a claim and reports whether the facts change by it.
func (m *memory) note(link int, c claim, now time.Time) bool {
	at := uint32(now.Sub(m.began) / time.Second)
	where := place{link, c.ip}
	s, known := m.heard[where]
	if !known && len(m.heard) >= maxSeen {
		first := !m.full
		m.full = true
		return first
	}
	was := s
	s.at = at
	if !known || at-s.changed >= uint32(settle/time.Second) {
		s.mac = c.mac
	}
	if c.knows && s.mac == c.mac {
		s.router = c.router
	}
	change := !known || s.mac != was.mac || s.router != was.router
	if change {
		s.changed = at
	}
	m.heard[where] = s
	return change
}

// current returns the facts by instance, and forgets what was not heard for too
// long. Left out are the host itself and who is behind a bridge of its own.
func (m *memory) current(links []rtnetlink.Link, own []rtnetlink.Address, now time.Time) map[string]*seen.Facts {
	at := uint32(now.Sub(m.began) / time.Second)
	mine, macs := map[netip.Addr]bool{}, map[[6]byte]bool{}
	for _, a := range own {
		mine[a.IP] = true
	}
	private, names := rtnetlink.PrivateLinks(links), map[int]string{}
	for _, l := range links {
		if len(l.MAC) == 6 {
			macs[[6]byte(l.MAC)] = true
		}
		if !l.Loopback() && !private[l.Index] {
			names[l.Index] = l.Name
		}
	}
	facts := map[string]*seen.Facts{}
	for where, s := range m.heard {
		name := names[where.link]
		if at-s.at > uint32(seen.KeepAfterLastSight/time.Second) || name == "" {
			delete(m.heard, where)
			continue
		}
		if mine[where.ip] || macs[s.mac] {
			continue
		}
		ip := where.ip.String()
		instance := seen.Instance(ip)
		if facts[instance] == nil {
			facts[instance] = &seen.Facts{}
		}
		of := facts[instance]
		of.Seen = append(of.Seen, seen.Seen{Interface: name, IP: ip, MAC: net.HardwareAddr(s.mac[:]).String(), Router: s.router})
	}
	for _, of := range facts {
		order.By(of.Seen, func(a, b *seen.Seen) int {
			return cmp.Or(cmp.Compare(a.Interface, b.Interface), cmp.Compare(a.IP, b.IP))
		})
	}
	return facts
}
