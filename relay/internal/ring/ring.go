// Package ring decides who watches whom. It is a pure state machine: an event
// goes in, the changes of neighbours come out.
//
//	ring of a switch (or subnet)   all its members
//	ring of a zone                 two members of each switch ring of the zone, side by side
//	ring of the site               two members of each zone ring, side by side, and the relay
//
//	      a3--a2====b1--b2          a1, a2 stand for switch A in the ring of zone 1,
//	     /      A  B      \         b1, b2 for switch B. The edge a2-b1 is of the zone,
//	    a4--a1=======b4--b3         as is b4-a1; a1-a2 is of the switch and of the zone,
//	                                and is beaten once.
//
// Two that stand for a ring in the one above are neighbours in it: so the edge
// between them serves both rings, and the upper one adds to each of them a
// single edge. A member has two neighbours, one that stands in all three rings
// has four. What a switch is seen by from outside are two hosts of other
// switches, each through a host of its own; the two that stand for a zone are of
// different switches where the zone has more than one.
//
// Where a ring has one group only, those who stand for the group stand in the
// ring above: a site of one switch is that ring, with the relay beside two of its
// members. A site of two hosts is one edge and the relay; of one, the relay.
//
// A join, a leave or a move changes the neighbours of a constant number of
// members, whatever the size of the site.
package ring

// ID names a member: a host, or the relay.
type ID [16]byte

// Member is a host and where it stands.
type Member struct {
	ID     ID
	Domain string // its switch, or its subnet where no switch is known; "" is a domain too
	Zone   string // rack, room or building; "" is a zone too
	// Risk names what hosts fall together with, beside their switch: a hypervisor.
	// Neighbours differ in it where that is possible. "": nothing known.
	Risk string
}

// Level is which ring an edge is of; the lowest, where it serves more than one.
type Level uint8

// The levels. Direct is an edge of the relay's own, in the ring of the site.
const (
	Switch Level = iota
	Zone
	Site
	Direct
)

// Neighbour is one end of an edge as the other sees it.
type Neighbour struct {
	ID    ID
	Level Level
}

// Order says that the neighbours of a member, or of the relay, are now these,
// sorted by ID. One that left gets no order.
type Order struct {
	Member     ID
	Neighbours []Neighbour
}

// MaxNeighbours is how many neighbours a member has at most.
const MaxNeighbours = 4

// Ring is one cycle: each of Members has the next as a neighbour, and the last
// has the first. A ring of two is one edge.
type Ring struct {
	Level   Level
	Name    string // the domain or the zone
	Zone    string // of a switch's ring
	Members []ID
}
