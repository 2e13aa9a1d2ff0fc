package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/wire"
)

const (
	takeAtOnce   = 200 // hosts in one transaction
	lookAgain    = 2 * time.Second
	forwardPause = time.Second
	forwardFirst = 2 * time.Second // hosts do not wait longer for that
	longestPause = time.Minute
	// elsewhereFirst is the time for another relay that has the copy.
	elsewhereFirst = time.Second
	forwardAtOnce  = 500
)

// standIn does a dead relay's work until it is back and ctx ends. Whom it has
// taken by then it calls until run ends: they are this relay's.
func (c *Cluster) standIn(ctx, run context.Context, parts *sync.WaitGroup, dead tenancy.RelayID) {
	// What the dead relay was told comes before what its probes say here, or the
	// service would find it old: the state would be right, the history short of it.
	told, held := make(chan struct{}), c.holds(ctx, dead)
	parts.Go(func() { defer close(told); c.forward(ctx, dead) })
	select {
	case <-told:
		if !held && len(c.survivors()) > 1 {
			pause(ctx, elsewhereFirst)
		}
	case <-time.After(forwardFirst):
	case <-ctx.Done():
	}
	var before []tenancy.RelayID
	for ctx.Err() == nil {
		if now := c.survivors(); !sameRelays(now, before) {
			if err := c.takeHosts(ctx, run, parts, dead, now); err != nil && ctx.Err() == nil {
				c.Log.Error("taking over the hosts of a dead relay", "id", dead, "error", err)
			} else {
				before = now
			}
		}
		pause(ctx, lookAgain)
	}
}

// holds reports whether the copy of a relay's stream is here.
func (c *Cluster) holds(ctx context.Context, relay tenancy.RelayID) bool {
	origins, err := c.Store.Origins(ctx)
	return err == nil && slices.ContainsFunc(origins, func(o store.Origin) bool { return o.Relay == relay && o.Last > o.Acked })
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// takeOrphans takes the hosts of relays that the service names no more: they were
// revoked. Their logs nobody wants.
func (c *Cluster) takeOrphans(ctx context.Context) {
	hosts, err := c.Store.Hosts(ctx)
	if err != nil {
		return // the next change of orders, or start, looks again
	}
	c.mu.Lock()
	orphaned := map[tenancy.RelayID]bool{}
	for _, h := range hosts {
		if _, named := c.orders[h.ServedBy]; !named && !h.ServedBy.IsZero() && len(c.orders) > 0 {
			orphaned[h.ServedBy] = true
		}
	}
	c.mu.Unlock()
	var calls sync.WaitGroup
	for relay := range orphaned {
		if err := c.takeHosts(ctx, ctx, &calls, relay, c.survivors()); err != nil && ctx.Err() == nil {
			c.Log.Error("taking over the hosts of a relay that is no more", "id", relay, "error", err)
		}
	}
	calls.Wait()
}

func sameRelays(a, b []tenancy.RelayID) bool {
	order := func(a, b tenancy.RelayID) int { return bytes.Compare(a.UUID[:], b.UUID[:]) }
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	return slices.Equal(a, b)
}

// takeHosts takes this relay's part of a dead one's hosts, and calls their probes.
func (c *Cluster) takeHosts(ctx, run context.Context, parts *sync.WaitGroup, dead tenancy.RelayID, survivors []tenancy.RelayID) error {
	hosts, err := c.Store.Hosts(ctx)
	if err != nil {
		return err
	}
	hosts = slices.DeleteFunc(hosts, func(h store.Host) bool {
		return h.ServedBy != dead || owner(c.key(h), survivors) != c.Self
	})
	for chunk := range slices.Chunk(hosts, takeAtOnce) {
		var taken []store.Host
		err := c.Store.Do(ctx, func(tx *store.Tx) error {
			taken = nil
			for _, h := range chunk {
				h, found, err := tx.TakeHost(h.ID, dead, time.Now().UnixMilli())
				if err != nil {
					return err
				}
				if found {
					taken = append(taken, h)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		c.spread(taken)
		parts.Go(func() { c.table.TakeOver(run, taken) })
	}
	if len(hosts) > 0 {
		c.Log.Info("took over the hosts of a dead relay", "id", dead, "hosts", len(hosts))
	}
	return nil
}

// key is by what a host belongs to a relay: its domain, so that the hosts of a
// switch are together; its own id where nobody knows that.
func (c *Cluster) key(h store.Host) []byte {
	domain := c.Domain(h.ID)
	if domain == "" {
		domain = h.Domain
	}
	if domain == "" {
		return h.ID.UUID[:]
	}
	return []byte(domain)
}

// spread tells all peers of hosts that are this relay's.
func (c *Cluster) spread(hosts []store.Host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.peers {
		for _, h := range hosts {
			p.news[h.ID] = struct{}{}
		}
		p.nudge()
	}
}

// forward sends what is held of a dead relay's stream to the service, until all
// of it is there or the relay is back.
func (c *Cluster) forward(ctx context.Context, dead tenancy.RelayID) {
	wait, said := forwardPause, ""
	for {
		err := c.forwardAll(ctx, dead)
		if err == nil || ctx.Err() != nil {
			return
		}
		if said != err.Error() {
			said = err.Error()
			c.Log.Warn("forwarding a dead relay's records", "id", dead, "error", err)
		}
		pause(ctx, wait)
		wait = min(2*wait, longestPause)
	}
}

// Ahead is for the relay's own stream: what a dead relay was told goes first, or
// the service would find it old. It returns the error of a service that cannot be
// reached; what the service does not want holds nobody up.
func (c *Cluster) Ahead(ctx context.Context) error {
	c.mu.Lock()
	var dead []tenancy.RelayID
	for id, p := range c.peers {
		if p.dead {
			dead = append(dead, id)
		}
	}
	c.mu.Unlock()
	for _, id := range dead {
		if err := c.forwardAll(ctx, id); err != nil && !errors.Is(err, errUnwanted) {
			return err
		}
	}
	return nil
}

func (c *Cluster) forwardAll(ctx context.Context, dead tenancy.RelayID) error {
	c.forwarding.Lock()
	defer c.forwarding.Unlock()
	sent := 0
	for {
		n, err := c.forwardSome(ctx, dead)
		if err != nil {
			return err
		}
		if sent += n; n > 0 {
			continue
		}
		if sent > 0 {
			c.Log.Info("a dead relay's records are at the service", "id", dead, "records", sent)
		}
		return nil
	}
}

var errUnwanted = errors.New("the service does not take the copy of a stream")

// forwardSome sends one batch, and returns how many records the service has
// taken; 0 without an error: nothing is left.
func (c *Cluster) forwardSome(ctx context.Context, dead tenancy.RelayID) (int, error) {
	var origin store.Origin
	var found bool
	err := c.Store.Do(ctx, func(tx *store.Tx) (err error) {
		origin, found, err = tx.Origin(dead)
		return err
	})
	if err != nil || !found {
		return 0, err
	}
	batch, err := c.Store.Kept(ctx, origin, forwardAtOnce, c.Store.BatchBytes())
	if err != nil || len(batch.Encoded) == 0 {
		return 0, err
	}
	ack, err := c.service.Forward(ctx, dead, batch)
	if err != nil {
		return 0, err
	}
	switch {
	case ack.Reason == wire.Revoked || ack.Reason == wire.NotEnrolled || ack.Reason == wire.WrongSite:
		c.Log.Warn("the service wants no more of a relay", "id", dead, "reason", ack.Reason)
		return 0, c.Store.Do(ctx, func(tx *store.Tx) error { return tx.ForgetOrigin(dead) })
	case ack.Reason != wire.Accepted && ack.Reason != wire.Replayed:
		return 0, fmt.Errorf("%w: %s: %s", errUnwanted, ack.Reason, ack.Detail)
	case ack.Epoch > batch.Epoch || ack.Reason == wire.Replayed:
		// The relay has begun anew since, with all that it had not delivered.
		return 0, c.Store.Do(ctx, func(tx *store.Tx) error { return tx.ForgetOrigin(dead) })
	case ack.Epoch != batch.Epoch || ack.Position < batch.First:
		return 0, fmt.Errorf("%w: it stands at epoch %d position %d, the copy begins at epoch %d record %d", errUnwanted, ack.Epoch, ack.Position, batch.Epoch, batch.First)
	}
	position := min(ack.Position, origin.Last)
	err = c.Store.Do(ctx, func(tx *store.Tx) error { return tx.Forwarded(dead, batch.Epoch, position) })
	return int(position - batch.First + 1), err
}
