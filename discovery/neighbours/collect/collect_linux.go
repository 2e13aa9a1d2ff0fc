package collect

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/internal/debounce"
	"assimilation/discovery/internal/netlink"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/neighbours"
)

// Events are gathered until none came for quiet, at most for longest.
const (
	quiet   = 200 * time.Millisecond
	longest = 2 * time.Second
)

// Collector remembers whom the kernel's tables held lately.
type Collector struct {
	dial func() (rtnetlink.Conn, error)
	now  func() time.Time

	mu     sync.Mutex // Watch notes events while Collect runs
	memory memory
}

// New returns a collector that asks the connections which dial opens.
func New(dial func() (rtnetlink.Conn, error), now func() time.Time) *Collector {
	return &Collector{dial: dial, now: now, memory: memory{seen: map[place]sight{}}}
}

// Local returns the collector of this host's (network namespace's) links.
func Local() *Collector { return New(rtnetlink.Dial, time.Now) }

// Kind is the kind "neighbours".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	conn, err := c.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	links, err := rtnetlink.Links(conn)
	if err != nil {
		return nil, err
	}
	entries, err := rtnetlink.Neighbours(conn)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for _, n := range entries {
		c.memory.note(n, now)
	}
	fact, err := discovery.NewFact(kind.Kind, "", kind.Facts{Neighbours: c.memory.current(links, now)})
	if err != nil {
		return nil, err
	}
	if c.memory.evicted {
		c.memory.evicted = false
		err = &discovery.Degraded{What: "more than 65536 neighbours: the oldest are left out"}
	}
	return []discovery.Fact{fact}, err
}

// Watch notes the kernel's events about neighbours, which may come and go
// between two dumps, and calls changed when the fact changes by one.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	bursts := debounce.New(quiet, longest)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		bursts.Run(ctx, changed)
		close(done)
	}()
	defer func() {
		cancel()
		<-done
	}()
	event := func(m netlink.Message) {
		if m.Header.Type != unix.RTM_NEWNEIGH {
			return
		}
		n, err := rtnetlink.ParseNeighbour(m.Data)
		if err != nil {
			return // the next dump tells
		}
		c.mu.Lock()
		isNew := c.memory.note(n, c.now())
		c.mu.Unlock()
		if isNew {
			bursts.Event()
		}
	}
	return rtnetlink.Watch(ctx, []uint32{unix.RTNLGRP_NEIGH}, event, bursts.Event)
}
