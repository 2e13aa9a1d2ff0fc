package collect

import (
	"net/netip"
	"time"

	"assimilation/discovery/internal/order"
	kind "assimilation/discovery/sockets"
)

// maxClients bounds the memory of a host that connects to the whole world.
const maxClients = 8192

// clients remembers which endpoints services were clients of.
type clients struct {
	seen    map[client]clientSight
	evicted bool // some were forgotten before their time
}

type client struct {
	service  string // key of the identity
	protocol string
	remote   netip.AddrPort
}

type clientSight struct {
	who     *identity
	private bool
	at      time.Time
}

// note remembers a connection that stands now.
func (c *clients) note(who *identity, protocol string, remote netip.AddrPort, private bool, now time.Time) {
	k := client{who.key, protocol, remote}
	if _, known := c.seen[k]; !known && len(c.seen) >= maxClients {
		c.evict(len(c.seen) / 8)
	}
	c.seen[k] = clientSight{who, private, now}
}

// expire forgets what was not seen for kind.KeepClient.
func (c *clients) expire(now time.Time) {
	for k, s := range c.seen {
		if now.Sub(s.at) > kind.KeepClient {
			delete(c.seen, k)
		}
	}
}

// evict forgets the n that were seen the longest ago.
func (c *clients) evict(n int) {
	c.evicted = true
	times := make([]time.Time, 0, len(c.seen))
	for _, s := range c.seen {
		times = append(times, s.at)
	}
	order.By(times, func(a, b *time.Time) int { return a.Compare(*b) })
	limit := times[min(n, len(times)-1)]
	for k, s := range c.seen {
		if n > 0 && !s.at.After(limit) {
			delete(c.seen, k)
			n--
		}
	}
}
