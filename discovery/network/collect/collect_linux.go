package collect

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/internal/debounce"
	"assimilation/discovery/internal/netlink"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/network"
)

// Events are gathered until none came for quiet, at most for longest.
const (
	quiet   = 200 * time.Millisecond
	longest = 2 * time.Second
)

// Collector dumps links, addresses and routes by rtnetlink(7).
type Collector struct {
	dial func() (rtnetlink.Conn, error)
}

// New returns a collector that asks the connections which dial opens.
func New(dial func() (rtnetlink.Conn, error)) *Collector { return &Collector{dial} }

// Local returns the collector of this host's (network namespace's) links.
func Local() *Collector { return New(rtnetlink.Dial) }

// Kind is the kind "network".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	tables, err := c.dump()
	if err != nil {
		return nil, err
	}
	links := linkFacts(tables.links, tables.addresses)
	routes, dropped := routeFacts(tables.links, tables.routes)
	fact, err := discovery.NewFact(kind.Kind, "", kind.Facts{Links: links, Routes: routes})
	if err != nil {
		return nil, err
	}
	if dropped > 0 {
		err = &discovery.Degraded{What: fmt.Sprintf("%d of %d routes are left out", dropped, dropped+len(routes))}
	}
	return []discovery.Fact{fact}, err
}

type tables struct {
	links     []rtnetlink.Link
	addresses []rtnetlink.Address
	routes    []rtnetlink.Route
}

func (c *Collector) dump() (tables, error) {
	conn, err := c.dial()
	if err != nil {
		return tables{}, err
	}
	defer conn.Close()
	var t tables
	if t.links, err = rtnetlink.Links(conn); err != nil {
		return tables{}, err
	}
	if t.addresses, err = rtnetlink.Addresses(conn); err != nil {
		return tables{}, err
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		routes, err := rtnetlink.Routes(conn, family)
		if err != nil {
			return tables{}, err
		}
		t.routes = append(t.routes, routes...)
	}
	return t, nil
}

// Watch waits for the kernel's events about links, addresses and routes.
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
	groups := []uint32{
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
	}
	return rtnetlink.Watch(ctx, groups, func(netlink.Message) { bursts.Event() }, bursts.Event)
}
