package collect

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/switchport"
)

// warmUp is how long the first fact waits for links of which nothing was heard
// yet: a switch speaks every 30 s (LLDP) or 60 s (CDP) unless it was told
// otherwise, and a probe that starts again must not say that all ports are gone.
const warmUp = 65 * time.Second

// Collector keeps what neighbours told lately.
type Collector struct {
	dial   func() (rtnetlink.Conn, error)
	sooner chan struct{} // there may be an earlier deadline than before

	mu     sync.Mutex // Watch notes frames while Collect runs
	table  table
	groups groups
	since  time.Time // when listening began; zero: it did not
	warm   bool      // the first fact need not wait
	failed error     // why nothing is listened to any more
}

// New returns a collector that asks for links on the connections which dial
// opens.
func New(dial func() (rtnetlink.Conn, error)) *Collector {
	return &Collector{dial: dial, sooner: make(chan struct{}, 1), table: newTable(), groups: groups{joined: map[int]bool{}}}
}

// Local returns the collector of this host's (network namespace's) links.
func Local() *Collector { return New(rtnetlink.Dial) }

// Kind is the kind "switchport".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact, of what Watch heard.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var degraded error
	switch {
	case errors.Is(c.failed, unix.EPERM):
		degraded = &discovery.Degraded{Needs: discovery.NetRaw, What: "what switches tell the host's links"}
	case c.failed != nil:
		return nil, c.failed
	case c.since.IsZero():
		return nil, discovery.ErrNotYet
	default:
		if err := c.readLinks(); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	if c.failed == nil && !c.isWarm(now) {
		return nil, discovery.ErrNotYet
	}
	ports, notes := c.table.current(now)
	if len(notes) > 0 {
		degraded = &discovery.Degraded{What: strings.Join(notes, "; ")}
	}
	fact, err := discovery.NewFact(kind.Kind, "", kind.Facts{Ports: ports})
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, degraded
}

// isWarm reports whether every link had the time to tell of its switch.
func (c *Collector) isWarm(now time.Time) bool {
	c.warm = c.warm || now.Sub(c.since) >= warmUp || c.table.complete()
	return c.warm
}

// readLinks takes the kernel's table of links for true. Events that it overtakes
// are read afterwards, in their order, and end at the same. The caller holds the
// lock.
func (c *Collector) readLinks() error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	links, err := rtnetlink.Links(conn)
	if err != nil {
		return err
	}
	c.table.setLinks(links)
	for _, l := range links {
		c.groups.follow(l.Index, c.table.listens(l.Index))
	}
	return nil
}
