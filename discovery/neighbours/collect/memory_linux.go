package collect

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/neighbours"
)

// maxNeighbours bounds the memory, should a host stand in a network that makes
// up addresses.
const maxNeighbours = 65536

// memory holds what was seen within kind.KeepAfterLastSight.
type memory struct {
	seen    map[place]sight
	evicted bool // since the last call of current
}

type place struct {
	link int
	ip   netip.Addr
}

type sight struct {
	mac    string
	router bool
	at     time.Time
}

// sightStates are those in which the kernel holds a link-layer address that
// was answered for, or was set by hand. A failed or incomplete entry is none.
const sightStates = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT

// note takes in one entry of the kernel's tables and reports whether the fact
// changes by it.
func (m *memory) note(n rtnetlink.Neighbour, now time.Time) bool {
	if n.State&sightStates == 0 || n.State&unix.NUD_NOARP != 0 || n.Flags&unix.NTF_PROXY != 0 ||
		!n.IP.IsValid() || n.IP.IsMulticast() || n.IP.IsLoopback() || n.IP.IsUnspecified() ||
		(n.Type != 0 && n.Type != unix.RTN_UNICAST) || !slices.ContainsFunc(n.MAC, func(b byte) bool { return b != 0 }) {
		return false
	}
	where := place{n.Link, n.IP}
	old, known := m.seen[where]
	is := sight{n.MAC.String(), n.Flags&unix.NTF_ROUTER != 0, now}
	if !known && len(m.seen) >= maxNeighbours {
		m.evict()
	}
	m.seen[where] = is
	return !known || old.mac != is.mac || old.router != is.router
}

// evict forgets the oldest eighth, so that a flood of new neighbours does not
// sort the memory for each of them.
func (m *memory) evict() {
	m.evicted = true
	times := make([]time.Time, 0, len(m.seen))
	for _, s := range m.seen {
		times = append(times, s.at)
	}
	order.By(times, func(a, b *time.Time) int { return a.Compare(*b) })
	limit := times[len(times)/8]
	spare := len(times) / 8
	for where, s := range m.seen {
		if spare > 0 && !s.at.After(limit) {
			delete(m.seen, where)
			spare--
		}
	}
}

// current returns the facts of the links that still exist, and forgets what
// was not seen for too long.
func (m *memory) current(links []rtnetlink.Link, now time.Time) []kind.Neighbour {
	private := rtnetlink.PrivateLinks(links)
	names := map[int]string{}
	for _, l := range links {
		if !l.Loopback() {
			names[l.Index] = l.Name
		}
	}
	facts := []kind.Neighbour{}
	for where, s := range m.seen {
		if now.Sub(s.at) > kind.KeepAfterLastSight || names[where.link] == "" {
			delete(m.seen, where)
			continue
		}
		facts = append(facts, kind.Neighbour{
			Device: names[where.link], IP: where.ip.String(), MAC: s.mac,
			Router: s.router, Private: private[where.link],
		})
	}
	order.By(facts, func(a, b *kind.Neighbour) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.IP, b.IP))
	})
	return facts
}
