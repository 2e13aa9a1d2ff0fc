package ring

// node is a place in the tree of rings: the site's children are the relay and
// the zones, a zone's are its switches, a switch's are its hosts. Children form
// a cycle.
type node struct {
	parent, prev, next *node
	name               string // of a zone or a switch
	size               int    // of the cycle of children

	// first is a child. It and the next are where the parent's cycle passes
	// through this one: in at first's end, out at the beginning of the next.
	first *node

	host *host // of a leaf
}

// host is what a leaf adds.
type host struct {
	Member
	place int    // in its domain's list
	edges []edge // as last ordered
}

// edge is a neighbour as last ordered.
type edge struct {
	peer  *node
	level Level
}

// in is the host at which the parent's cycle enters.
func (n *node) in() *node {
	if n.host != nil {
		return n
	}
	return n.first.out()
}

// out is the host at which the parent's cycle leaves: beside in, and another
// wherever there are two.
func (n *node) out() *node {
	if n.host != nil {
		return n
	}
	return n.first.next.in()
}

// insert makes child the successor of one of n's children. That must not be
// first where there are others: they would stand for n no longer.
func (n *node) insert(child, after *node) {
	child.parent = n
	n.size++
	if after == nil {
		n.first, child.prev, child.next = child, child, child
		return
	}
	child.prev, child.next = after, after.next
	after.next.prev = child
	after.next = child
}

// remove takes a child out. Of the two where the parent's cycle passes, the one
// that is not in child stays.
func (n *node) remove(child *node) {
	n.size--
	switch {
	case n.size == 0:
		n.first = nil
	case n.first == child:
		n.first = child.prev
	}
	child.prev.next, child.next.prev = child.next, child.prev
	child.parent, child.prev, child.next = nil, nil, nil
}

// neighbours appends the edges of a leaf, by the tree as it stands.
func (n *node) neighbours(edges []edge) []edge {
	for at := n; at.parent != nil; at = at.parent {
		ring := at.parent
		if at.in() == n {
			edges = addEdge(edges, n, at.prev.out(), ring.level())
		}
		if at.out() == n {
			edges = addEdge(edges, n, at.next.in(), ring.level())
		}
		if ring.in() != n && ring.out() != n {
			break
		}
	}
	return edges
}

func addEdge(edges []edge, from, to *node, level Level) []edge {
	if from == to {
		return edges
	}
	for _, e := range edges {
		if e.peer == to {
			return edges
		}
	}
	if level == Site && (from.parent.parent == nil || to.parent.parent == nil) {
		level = Direct
	}
	return append(edges, edge{to, level})
}

// level is that of the cycle of n's children.
func (n *node) level() Level {
	switch {
	case n.parent == nil:
		return Site
	case n.parent.parent == nil:
		return Zone
	}
	return Switch
}
