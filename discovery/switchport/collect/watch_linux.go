package collect

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/frames"
	"assimilation/discovery/internal/netlink"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/switchport"
)

// Watch listens, and calls changed when the fact changes by a frame, by the end
// of a time to live, or by a link that lost its carrier.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	err := c.listen(ctx, changed)
	if ctx.Err() != nil {
		return nil
	}
	c.mu.Lock()
	c.failed = err
	c.mu.Unlock()
	changed()
	return err
}

func (c *Collector) listen(ctx context.Context, changed func()) error {
	lldp, err := frames.Open(frames.LLDP)
	if err != nil {
		return err
	}
	defer lldp.Close()
	cdp, err := frames.Open(frames.CDP)
	if err != nil {
		return err
	}
	defer cdp.Close()

	defer c.setGroups(nil, nil) // before they are closed
	c.setGroups(lldp, cdp)
	c.mu.Lock()
	err = c.readLinks()
	c.since = time.Now()
	c.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts, ctx := errgroup.WithContext(ctx)
	hear := func(f frames.Frame) {
		c.update(changed, func(now time.Time) bool { return c.table.note(f.Link, f.Data, now) })
	}
	parts.Go(func() error { return lldp.Listen(ctx, hear) })
	parts.Go(func() error { return cdp.Listen(ctx, hear) })
	parts.Go(func() error { return c.age(ctx, changed) })
	// Here, for it opens its socket in the network namespace of this goroutine's
	// thread. After a loss the next collection reads all links.
	err = rtnetlink.Watch(ctx, []uint32{unix.RTNLGRP_LINK}, func(m netlink.Message) { c.linkEvent(m, changed) }, changed)
	cancel()
	return errors.Join(parts.Wait(), err)
}

func (c *Collector) setGroups(lldp, cdp *frames.Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups.lldp, c.groups.cdp = lldp, cdp
}

// update changes the table under its lock, and tells if the fact changes by it.
func (c *Collector) update(changed func(), change func(now time.Time) bool) {
	c.mu.Lock()
	did := change(time.Now())
	c.mu.Unlock()
	if !did {
		return
	}
	select {
	case c.sooner <- struct{}{}:
	default: // it was told already
	}
	changed()
}

// age forgets what was not said again in time. It sleeps until the earliest
// deadline; most are put off meanwhile, and cost one look.
func (c *Collector) age(ctx context.Context, changed func()) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.sooner:
		case <-timer.C:
			c.update(changed, func(now time.Time) bool {
				was := c.warm
				return c.isWarm(now) != was || c.table.expire(now)
			})
		}
		timer.Reset(time.Until(c.deadline(time.Now())))
	}
}

// deadline is when age must look again.
func (c *Collector) deadline(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.table.deadline(now.Add(kind.Kind.Interval))
	if end := c.since.Add(warmUp); !c.warm && end.Before(at) {
		return end
	}
	return at
}

// linkEvent takes in a message about one link. Those of the bridge family speak
// of a bridge's port and leave out half of the link.
func (c *Collector) linkEvent(m netlink.Message, changed func()) {
	if len(m.Data) == 0 || m.Data[0] != unix.AF_UNSPEC {
		return
	}
	link, err := rtnetlink.ParseLink(m.Data)
	if err != nil {
		return // the next collection reads all links
	}
	c.update(changed, func(time.Time) bool {
		if m.Header.Type == unix.RTM_DELLINK {
			c.groups.follow(link.Index, false)
			return c.table.removeLink(link.Index)
		}
		did := c.table.setLink(link)
		c.groups.follow(link.Index, c.table.listens(link.Index))
		return did
	})
}

// The nearest bridge (IEEE 802.1AB table 7-1), and Cisco's.
var (
	lldpGroup = [6]byte{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}
	cdpGroup  = [6]byte{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc}
)

// groups asks the hardware for frames to the groups: it need not pass others on.
type groups struct {
	lldp, cdp *frames.Socket // nil before listening began
	joined    map[int]bool   // links
}

// follow joins the groups on a link that is listened to. The kernel leaves them
// when a link goes. One that cannot join says nothing; some can do without.
func (g *groups) follow(link int, listens bool) {
	switch {
	case !listens:
		delete(g.joined, link)
	case !g.joined[link] && g.lldp != nil:
		g.joined[link] = true
		_ = errors.Join(g.lldp.Join(link, lldpGroup), g.cdp.Join(link, cdpGroup))
	}
}
