package link

import (
	"time"

	"assimilation/wire"
)

const (
	// maxAsked bounds the messages for which a sender asks credit at a time, and
	// which a receiver remembers.
	maxAsked = 64
	// maxTold bounds how often a grant is repeated that brings nothing.
	maxTold = 4
)

// Meter leaves the credit to the owner, who shares one budget among many links:
// beyond wire.InitialCredit, which is always there, the link grants only what
// Grant says.
func (l *Link) Meter() { l.in.metered = true }

// Account is how the credit of a metered link stands, in bytes.
type Account struct {
	Promised int // that the peer may send yet, or has sent without a verdict
	Coming   int // of those, what has not arrived
	Open     int // of those, in complete messages: what waits for the owner alone
	Wanted   int // that the peer lacks for the messages that it has announced
	Begun    int // of those, for messages of which something has arrived
	Decoded  int // of the open messages when expanded
}

// Account adds up.
func (l *Link) Account() Account {
	in := &l.in
	left := int(in.granted - in.received)
	a := Account{Promised: left + in.held, Coming: left, Open: in.held, Decoded: in.openBytes}
	missing := 0
	for _, p := range in.partial {
		a.Open -= int(p.bytes)
		missing += int(p.total - p.bytes)
	}
	a.Begun = in.lacking(missing)
	for _, total := range in.wanted {
		missing += int(total)
	}
	a.Wanted = in.lacking(missing)
	return a
}

// lacking is how much credit must be added for so many bytes to come.
func (in *incoming) lacking(bytes int) int {
	return max(0, min(bytes, wire.MaxHeld-in.held)-int(in.granted-in.received))
}

// Grant lets the peer send so many bytes more.
func (l *Link) Grant(now time.Time, bytes int) {
	in := &l.in
	in.granted += uint64(bytes)
	in.queried = true
	in.told, in.tellAt = 0, now.Add(wire.InitialRTO)
}

// want notes what the peer asks credit for.
func (in *incoming) want(id, total uint32) {
	if !in.metered || total > wire.MaxMessage || in.partial[id] != nil || len(in.wanted) >= maxAsked {
		return
	}
	if _, open := in.open[id]; !open {
		put(&in.wanted, id, total)
	}
}
