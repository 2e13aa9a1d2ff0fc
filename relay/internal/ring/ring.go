// Package ring decides who watches whom. It is a pure state machine: an event
// goes in, the changes of neighbours come out.
//
//	ring of a switch (or subnet)   all its members
//	ring of a zone                 one or two members of each switch ring of the zone
//	ring of the site               one member of each zone, and the relay
//
// A member of one ring has two neighbours, one that also stands in others has up
// to four (a zone's representative in the site, which is taken among those of
// the zone ring, leaves to its fellow what would be more). One alone is watched
// by the relay; two have one edge, and the relay. A site of one zone, or of one
// switch, has no ring above it: then the relay stands in the highest there is.
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

// Level is which ring an edge is of.
type Level uint8

// The levels. Direct is the relay watching a member of a ring of one or two.
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

// Order says that the neighbours of a member are now these, sorted by ID. One
// that left gets none.
type Order struct {
	Member     ID
	Neighbours []Neighbour
}
