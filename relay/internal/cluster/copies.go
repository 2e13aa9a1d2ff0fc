package cluster

import (
	"context"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// closeEnough is how far behind a copy may be, in records, to be waited for
// again: under load it never comes to the end.
const closeEnough = 500

// position is a place in this relay's stream.
type position struct{ epoch, last uint64 }

func (p position) reaches(q position) bool { return p.epoch == q.epoch && p.last >= q.last }

// copies is who waits for the second copy of what.
type copies struct {
	head    store.Head
	buddy   *peer
	synced  bool // the buddy is waited for
	since   time.Time
	said    bool // what the service was told last: synced
	waiting []waiter
}

type waiter struct {
	until position
	since time.Time
	done  func()
}

// Committed is for store.CopyTo.
func (c *Cluster) Committed(head store.Head, done func()) {
	c.mu.Lock()
	k := &c.copies
	if head.Epoch != k.head.Epoch || head.Last < k.head.Last {
		// Numbered anew: who waits, waits for all there is.
		for i := range k.waiting {
			k.waiting[i].until = position{head.Epoch, head.Last}
		}
	}
	k.head = head
	until := position{head.Epoch, head.Last}
	waits := k.synced && !k.buddy.copied.reaches(until)
	if waits {
		k.waiting = append(k.waiting, waiter{until, time.Now(), done})
	}
	for _, p := range c.peers {
		p.nudge()
	}
	c.mu.Unlock()
	if !waits {
		done()
	}
}

// chooseBuddy keeps the buddy while it is there.
func (c *Cluster) chooseBuddy() {
	k := &c.copies
	var candidates []tenancy.RelayID
	for id, p := range c.peers {
		if p.connected && !p.dead {
			candidates = append(candidates, id)
		}
	}
	best := c.peers[owner(c.Self.UUID[:], candidates)]
	if best == k.buddy {
		return
	}
	k.buddy = best
	c.desync("the buddy changed")
	if best != nil {
		c.Log.Info("this relay's records are copied to another", "relay", best.order.Name, "id", best.id)
		best.nudge()
	}
}

// desync goes on with one disk. Called with mu held.
func (c *Cluster) desync(why string) {
	k := &c.copies
	if k.synced {
		c.Log.Warn("records are on one disk only", "reason", why)
		k.synced, k.since = false, time.Now()
	}
	waiting := k.waiting
	k.waiting = nil
	go func() { // their owners may want mu
		for _, w := range waiting {
			w.done()
		}
	}()
}

func (c *Cluster) giveUpCopies() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.copies.buddy = nil
	c.desync("this relay is alone")
}

// checkCopies gives up a buddy that takes too long, and tells the service what
// lasts.
func (c *Cluster) checkCopies(now time.Time) {
	k := &c.copies
	if len(k.waiting) > 0 && now.Sub(k.waiting[0].since) >= c.Times.Copy {
		c.desync("the buddy is too slow")
	}
	if k.synced == k.said || now.Sub(k.since) < c.Times.Say || k.head.Epoch == 0 {
		return
	}
	k.said = k.synced
	body := &uplink.RelayBody{Event: "degraded", Detail: "what probes are told is durable is on this relay's disk only"}
	if k.synced {
		body = &uplink.RelayBody{Event: "replicated", Detail: "to relay " + k.buddy.order.Name}
	}
	change := uplink.Change{Type: uplink.RelayState, SeenAt: now.UnixMilli(), Relay: body}
	go func() { // the writer may be waiting for mu
		if err := c.Store.Do(context.Background(), func(tx *store.Tx) error { return tx.Append(change) }); err != nil {
			c.Log.Error("recording the state of the cluster", "error", err)
		}
	}()
}

// copied notes how far a peer has this relay's stream.
func (c *Cluster) copied(p *peer, at position) {
	c.mu.Lock()
	p.copied = at
	k := &c.copies
	var over []waiter
	if p == k.buddy {
		n := 0
		for n < len(k.waiting) && at.reaches(k.waiting[n].until) {
			n++
		}
		over, k.waiting = k.waiting[:n:n], k.waiting[n:]
		if !k.synced && at.epoch == k.head.Epoch && at.last+closeEnough >= k.head.Last {
			k.synced, k.since = true, time.Now()
			c.Log.Info("records are on two disks", "relay", p.order.Name)
		}
	}
	c.mu.Unlock()
	for _, w := range over {
		w.done()
	}
}
