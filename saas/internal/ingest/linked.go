package ingest

import (
	"slices"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/projectors"
)

// linkage says which facts of a host are projected together.
type linkage struct {
	on map[string][]discovery.FactName             // by kind: what it leans on
	by map[discovery.FactName][]discovery.FactName // who leans on it
}

var linked = func() linkage {
	l := linkage{map[string][]discovery.FactName{}, map[discovery.FactName][]discovery.FactName{}}
	for _, p := range projectors.All() {
		leaning, ok := p.(discovery.Leaning)
		if !ok {
			continue
		}
		kind := p.Kind().Name
		l.on[kind] = leaning.LeansOn()
		for _, on := range l.on[kind] {
			for _, instance := range leaning.Instances() {
				l.by[on] = append(l.by[on], discovery.FactName{Kind: kind, Instance: instance})
			}
		}
	}
	return l
}()

// kinds lists those that are projected together with a kind.
func (l linkage) kinds(kind string) []string {
	var kinds []string
	for _, on := range l.on[kind] {
		kinds = append(kinds, on.Kind)
	}
	for on, by := range l.by {
		if on.Kind != kind {
			continue
		}
		for _, leaning := range by {
			kinds = append(kinds, leaning.Kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// part is what one fact says, before the batch and now.
type part struct {
	before, now cmdb.Elements
	changed     bool
}

// needs lists the facts of the same host that decide which of the part's edges
// stand, and those whose edges the part decides about. Most changes need none: no
// edge hangs on another fact, and the vertices on which others hang stay.
func (l linkage) needs(name discovery.FactName, p *part) (on, by []discovery.FactName) {
	if len(l.on[name.Kind]) > 0 && (hangs(p.before) || hangs(p.now)) {
		on = l.on[name.Kind]
	}
	if p.changed && len(l.by[name]) > 0 && !sameOwned(p.before, p.now) {
		by = l.by[name]
	}
	return on, by
}

// hangs reports whether an edge leaves or reaches an owned vertex that is not
// among the elements.
func hangs(e cmdb.Elements) bool {
	made := ownedOf(e)
	for _, edge := range e.Edges {
		if mayLack(edge.From) && !made[edge.From] || mayLack(edge.To) && !made[edge.To] {
			return true
		}
	}
	return false
}

// mayLack reports whether a vertex stands only if a fact says so: that of the
// host always does, and a shared one comes with who leads to it.
func mayLack(r cmdb.Ref) bool { return r.Label != cmdb.Host && !cmdb.IsShared(r.Label) }

func ownedOf(e cmdb.Elements) map[cmdb.Ref]bool {
	made := make(map[cmdb.Ref]bool, len(e.Vertices))
	for _, v := range e.Vertices {
		if !cmdb.IsShared(v.Label) {
			made[v.Ref] = true
		}
	}
	return made
}

func sameOwned(a, b cmdb.Elements) bool {
	had, has := ownedOf(a), ownedOf(b)
	if len(had) != len(has) {
		return false
	}
	for r := range has {
		if !had[r] {
			return false
		}
	}
	return true
}

// joined puts projections of one host together. It leaves out the edges that hang
// on a vertex which none of them makes, and the shared vertices that only those
// led to, with what these imply.
func joined(parts []cmdb.Elements) cmdb.Elements {
	stands := map[cmdb.Ref]bool{}
	for _, p := range parts {
		for _, v := range p.Vertices {
			if !cmdb.IsShared(v.Label) {
				stands[v.Ref] = true
			}
		}
	}
	hung := func(e cmdb.Edge) bool {
		return (e.From.Label == cmdb.Host || stands[e.From]) && (!mayLack(e.To) || stands[e.To])
	}
	// A shared vertex is led to by an edge that stands; then what it implies does.
	for again := true; again; {
		again = false
		for _, p := range parts {
			for _, e := range p.Edges {
				if cmdb.IsShared(e.To.Label) && !stands[e.To] && hung(e) {
					stands[e.To], again = true, true
				}
			}
		}
	}
	var all cmdb.Elements
	for _, p := range parts {
		for _, e := range p.Edges {
			if hung(e) {
				all.Edges = append(all.Edges, e)
			}
		}
		for _, v := range p.Vertices {
			if stands[v.Ref] {
				all.Vertices = append(all.Vertices, v)
			}
		}
	}
	return all
}
