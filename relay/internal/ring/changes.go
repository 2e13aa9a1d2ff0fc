package ring

import "slices"

// changes gathers whose neighbours an event may have changed.
type changes struct {
	leaves []*node
}

// touch notes all whose neighbours depend on the place of n and of the groups
// around it. It is called before a node is taken from its place, and after it or
// its neighbours have come to another.
func (c *changes) touch(n *node) {
	for ; n.parent != nil; n = n.parent {
		c.note(n.in(), n.out(), n.prev.out(), n.next.in())
	}
}

func (c *changes) note(leaves ...*node) {
	for _, leaf := range leaves {
		if !slices.Contains(c.leaves, leaf) {
			c.leaves = append(c.leaves, leaf)
		}
	}
}

func (c *changes) forget(leaf *node) {
	c.leaves = slices.DeleteFunc(c.leaves, func(other *node) bool { return other == leaf })
}

// orders compares with what was ordered before.
func (c *changes) orders() []Order {
	var orders []Order
	var buffer [MaxNeighbours]edge
	for _, leaf := range c.leaves {
		now := leaf.neighbours(buffer[:0])
		if sameEdges(now, leaf.host.edges) {
			continue
		}
		leaf.host.edges = slices.Clone(now)
		orders = append(orders, Order{Member: leaf.host.ID, Neighbours: sorted(now)})
	}
	return orders
}

func sameEdges(a, b []edge) bool {
	if len(a) != len(b) {
		return false
	}
	for _, e := range a {
		if !slices.Contains(b, e) {
			return false
		}
	}
	return true
}
