package depmap

import (
	"cmp"
	"slices"
)

// Sizes of the drawing, in pixels.
const (
	itemHeight    = 28
	itemGap       = 8
	serviceWidth  = 136
	endpointWidth = 176
	innerGap      = 64 // between endpoints and services
	padding       = 12
	titleHeight   = 40
	emptyWidth    = 176 // a box without anything inside
	boxGap        = 28
	tierGap       = 120
	columnGap     = 40
	margin        = 24
	maxColumn     = 1100 // a higher tier is broken into columns
	idlePerRow    = 6
)

// layOut gives everything its place. Clients stand left of what they use:
// boxes are put in tiers by the longest path of dependencies, ordered within a
// tier by their neighbours, and those without any stand below.
func (p *picture) layOut(title string) Map {
	p.sorted()
	m := Map{Title: title, Nodes: []Node{}, Edges: p.edges, LeftOut: p.leftOut, Note: p.leftOut.words()}
	if m.Edges == nil {
		m.Edges = []Line{}
	}
	var linked, idle []*box
	for _, b := range p.boxes {
		b.arrange()
		if b.outgoing || b.node.Focus {
			linked = append(linked, b)
		} else {
			idle = append(idle, b)
		}
	}
	assignTiers(linked)
	tiers := ordered(linked)
	x, bottom := margin, margin
	for _, tier := range tiers {
		for _, column := range columns(tier) {
			width := 0
			for _, b := range column {
				width = max(width, b.node.W)
			}
			y := margin
			for _, b := range column {
				b.move(x+width/2, y+b.node.H/2)
				y += b.node.H + boxGap
			}
			bottom = max(bottom, y-boxGap)
			x += width + columnGap
		}
		x += tierGap - columnGap
	}
	centre(tiers, bottom)
	m.Width = max(x-tierGap+margin, margin)
	if len(linked) > 0 {
		bottom += boxGap
	}
	for i, b := range idle {
		column, row := i%idlePerRow, i/idlePerRow
		left, top := margin+column*(emptyWidth+columnGap), bottom+row*(titleHeight+boxGap)
		b.move(left+emptyWidth/2, top+titleHeight/2)
		m.Width = max(m.Width, left+emptyWidth+margin)
	}
	for _, b := range p.boxes {
		m.Height = max(m.Height, b.node.Y+b.node.H/2+margin)
		m.Nodes = append(m.Nodes, b.nodes()...)
	}
	return m
}

// arrange places what is inside a box relative to its centre: endpoints at the
// left, where clients come from, each service beside its own.
func (b *box) arrange() {
	endpoints, named := 0, 0
	for _, s := range b.services {
		endpoints += len(s.endpoints)
		if !s.hidden {
			named++
		}
	}
	b.node.W, b.node.H = emptyWidth, titleHeight
	if endpoints+named == 0 {
		return
	}
	inner := 0
	if endpoints > 0 {
		inner += endpointWidth
	}
	if named > 0 {
		inner += serviceWidth
	}
	if endpoints > 0 && named > 0 {
		inner += innerGap
	}
	b.node.W = inner + 2*padding
	y := titleHeight
	left := -b.node.W/2 + padding
	right := b.node.W/2 - padding
	for _, s := range b.services {
		top := y
		for _, e := range s.endpoints {
			e.node.X, e.node.Y, e.node.W, e.node.H = left+endpointWidth/2, y+itemHeight/2, endpointWidth, itemHeight
			y += itemHeight + itemGap
		}
		if len(s.endpoints) == 0 {
			y += itemHeight + itemGap
		}
		s.node.X, s.node.Y, s.node.W, s.node.H = right-serviceWidth/2, (top+y-itemGap)/2, serviceWidth, itemHeight
	}
	b.node.H = y - itemGap + padding
	for _, n := range b.inside() {
		n.Y -= b.node.H / 2
	}
}

// inside lists the nodes within a box.
func (b *box) inside() (all []*Node) {
	for _, s := range b.services {
		if !s.hidden {
			all = append(all, &s.node)
		}
		for _, e := range s.endpoints {
			all = append(all, &e.node)
		}
	}
	return all
}

func (b *box) move(x, y int) {
	for _, n := range b.inside() {
		n.X, n.Y = n.X-b.node.X+x, n.Y-b.node.Y+y
	}
	b.node.X, b.node.Y = x, y
}

func (b *box) nodes() []Node {
	all := []Node{b.node}
	for _, n := range b.inside() {
		all = append(all, *n)
	}
	return all
}

// assignTiers puts a box right of all that use it. Of a cycle, the edge that
// comes back to where the search began does not count; a search begins where
// the fewest come from.
func assignTiers(boxes []*box) {
	const (
		unseen = iota
		open
		done
	)
	state := map[*box]int{}
	forward := map[*box][]*box{} // edges that count
	var last []*box              // reversed finishing order: users before used
	var visit func(*box)
	visit = func(b *box) {
		state[b] = open
		for _, next := range b.uses {
			if state[next] == open {
				continue
			}
			forward[b] = append(forward[b], next)
			if state[next] == unseen {
				visit(next)
			}
		}
		state[b] = done
		last = append(last, b)
	}
	starts := slices.Clone(boxes)
	slices.SortStableFunc(starts, func(a, b *box) int { return cmp.Compare(len(a.usedBy), len(b.usedBy)) })
	for _, b := range starts {
		if state[b] == unseen {
			visit(b)
		}
	}
	slices.Reverse(last)
	for _, b := range last {
		for _, next := range forward[b] {
			next.tier = max(next.tier, b.tier+1)
		}
	}
	// A box that nothing uses stands next to the first that it uses.
	for _, b := range last {
		if len(b.usedBy) > 0 || len(forward[b]) == 0 {
			continue
		}
		nearest := forward[b][0].tier
		for _, next := range forward[b] {
			nearest = min(nearest, next.tier)
		}
		b.tier = nearest - 1
	}
}

const sweeps = 6

// ordered returns the tiers, each with its boxes beside those they are joined
// to.
func ordered(boxes []*box) [][]*box {
	depth := 0
	for _, b := range boxes {
		depth = max(depth, b.tier+1)
	}
	tiers := make([][]*box, depth)
	for _, b := range boxes {
		tiers[b.tier] = append(tiers[b.tier], b)
	}
	place := map[*box]float64{}
	number := func(tier []*box) {
		for i, b := range tier {
			place[b] = (float64(i) + 0.5) / float64(len(tier))
		}
	}
	for _, tier := range tiers {
		number(tier)
	}
	for sweep := range sweeps {
		for i := range tiers {
			tier := tiers[i]
			if sweep%2 == 1 {
				tier = tiers[len(tiers)-1-i]
			}
			want := map[*box]float64{}
			for _, b := range tier {
				around := b.usedBy
				if sweep%2 == 1 {
					around = b.uses
				}
				want[b] = place[b]
				sum := 0.0
				for _, n := range around {
					sum += place[n]
				}
				if len(around) > 0 {
					want[b] = sum / float64(len(around))
				}
			}
			slices.SortStableFunc(tier, func(a, b *box) int { return cmp.Compare(want[a], want[b]) })
			number(tier)
		}
	}
	return tiers
}

// columns breaks a tier that is too high.
func columns(tier []*box) (all [][]*box) {
	var column []*box
	height := 0
	for _, b := range tier {
		if len(column) > 0 && height+b.node.H > maxColumn {
			all = append(all, column)
			column, height = nil, 0
		}
		column = append(column, b)
		height += b.node.H + boxGap
	}
	if len(column) > 0 {
		all = append(all, column)
	}
	return all
}

// centre moves each column to the middle of the height.
func centre(tiers [][]*box, bottom int) {
	for _, tier := range tiers {
		for _, column := range columns(tier) {
			end := column[len(column)-1]
			shift := (bottom - (end.node.Y + end.node.H/2)) / 2
			for _, b := range column {
				b.move(b.node.X, b.node.Y+shift)
			}
		}
	}
}
