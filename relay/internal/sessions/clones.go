package sessions

import (
	"net/netip"
	"time"
)

// Times and bounds of telling clones.
const (
	// A boot that another has superseded is remembered for so long, and so many.
	formerLife = time.Hour
	maxFormer  = 8
	// settledAfter is how long nothing must be seen of the second holder of a key.
	settledAfter = 10 * time.Minute
	// A key that comes back to the address before, again and again and each time
	// within flapTime, is held at both.
	flapTime = time.Minute
	maxFlaps = 3
)

// clones tells a probe that restarts from two that hold the same key, such as
// on two machines made from one image. A restart draws a new boot number, and the
// old one is never heard again; of two that live, the one that lost its session
// to the other comes back with its own. The one that was there first is believed,
// the other is refused until nothing was seen of it for settledAfter, or the
// first has said goodbye.
type clones struct {
	boot   uint64               // who is believed; 0: nobody yet
	former map[uint64]time.Time // superseded, when
	barred bool                 // others than boot are refused
	seen   time.Time            // when there were last two; zero: there is one

	last, before netip.AddrPort // where the key was, and where it was before that
	moved        time.Time
	flaps        int
}

// greet judges a Hello. alive: who is believed was heard just now, in another
// session. second: there are two.
func (c *clones) greet(now time.Time, boot uint64, alive bool) (welcome, second bool) {
	switch {
	case boot == 0 || boot == c.boot: // 0: of a probe that draws none
		return true, false
	case c.barred && alive:
		return false, true
	}
	superseded, returned := c.former[boot]
	returned = returned && now.Sub(superseded) < formerLife
	if c.boot != 0 && !returned {
		c.supersede(now)
	}
	c.boot = boot
	if returned {
		clear(c.former)
		c.barred = true
	}
	return true, returned
}

func (c *clones) supersede(now time.Time) {
	if c.former == nil {
		c.former = map[uint64]time.Time{}
	}
	for boot, at := range c.former {
		if now.Sub(at) >= formerLife || len(c.former) >= maxFormer {
			delete(c.former, boot)
		}
	}
	c.former[c.boot] = now
}

// came notes where the key speaks from, and reports whether that is one address
// too many.
func (c *clones) came(now time.Time, from netip.AddrPort) (second bool) {
	if from == c.last {
		return false
	}
	if from == c.before && now.Sub(c.moved) < flapTime {
		c.flaps++
	} else {
		c.flaps = 0
	}
	c.last, c.before, c.moved = from, c.last, now
	return c.flaps >= maxFlaps
}

// forget is for when there is but one again: whoever comes next is believed.
func (c *clones) forget() { *c = clones{last: c.last, moved: c.moved} }

// seeSecond notes that a host's key is held twice.
func (t *Table) seeSecond(now time.Time, h *host) {
	began := h.clones.seen.IsZero()
	h.clones.seen = now
	if !began {
		return
	}
	t.Log.Warn("a host's key speaks from two places", "host", h.name, "id", h.id, "address", h.clones.last, "other", h.clones.before)
	t.observe(Cloned{Host: h.id})
	t.settleLater(h, settledAfter)
}

// settleLater looks again after d whether the host's key is still held twice.
func (t *Table) settleLater(h *host, d time.Duration) {
	time.AfterFunc(d, func() {
		t.mail.post(func() {
			if h.clones.seen.IsZero() || t.byID[h.id] != h {
				return
			}
			if left := time.Until(h.clones.seen.Add(settledAfter)); left > 0 {
				t.settleLater(h, left)
				return
			}
			t.settleClones(h)
		})
	})
}

func (t *Table) settleClones(h *host) {
	if h.clones.seen.IsZero() {
		return
	}
	h.clones.forget()
	t.Log.Info("a host's key speaks from one place again", "host", h.name, "id", h.id)
	t.observe(Cloned{Host: h.id, Settled: true})
}
