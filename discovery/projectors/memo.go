package projectors

import (
	"assimilation/cmdb"
	"assimilation/discovery"
)

// Memo projects the facts of many hosts together. What a fact of a public kind
// implies is the same for every host that has it, so Memo tells it with the first
// host, and with all others only the edges that leave the host: a package set of
// a fleet is read once, not once per host. The zero value is ready.
type Memo struct {
	leaving map[content][]cmdb.Edge
}

// content is a fact, whoever has it.
type content struct {
	kind, instance string
	hash           discovery.Hash
}

// Known is Project without a body: it reports false where the fact was not met
// yet, or is of a kind that must be projected for each host.
func (m *Memo) Known(host discovery.HostRef, kind, instance string, hash discovery.Hash) (cmdb.Elements, bool) {
	edges, ok := m.leaving[content{kind, instance, hash}]
	if !ok {
		return cmdb.Elements{}, false
	}
	var e cmdb.Elements
	for _, edge := range edges {
		edge.From.Key = host.ID
		e.Edges = append(e.Edges, edge)
	}
	return e, true
}

// Project projects a fact and checks the result. Facts of a kind without a
// projector say nothing.
func (m *Memo) Project(host discovery.HostRef, f discovery.Fact) (cmdb.Elements, error) {
	if e, ok := m.Known(host, f.Kind, f.Instance, f.Hash); ok {
		return e, nil
	}
	p, ok := ByKind(f.Kind)
	if !ok {
		return cmdb.Elements{}, nil
	}
	e, err := p.Project(host, f)
	if err != nil {
		return cmdb.Elements{}, err
	}
	if err := e.Check(); err != nil {
		return cmdb.Elements{}, err
	}
	if p.Kind().Public {
		m.remember(content{f.Kind, f.Instance, f.Hash}, e)
	}
	return e, nil
}

func (m *Memo) remember(c content, e cmdb.Elements) {
	if m.leaving == nil {
		m.leaving = map[content][]cmdb.Edge{}
	}
	leaving := []cmdb.Edge{}
	for _, edge := range e.Edges {
		if edge.From.Label == cmdb.Host {
			leaving = append(leaving, edge)
		}
	}
	m.leaving[c] = leaving
}
