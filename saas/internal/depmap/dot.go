package depmap

import (
	"fmt"
	"io"
	"strings"
)

// WriteDOT writes the map for Graphviz (https://graphviz.org/doc/info/lang.html):
// what is within a box is a cluster.
func (m Map) WriteDOT(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph assimilation {\n  label=%s;\n  rankdir=LR;\n  compound=true;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n", quoted(m.Title))
	within := map[string][]Node{}
	for _, n := range m.Nodes {
		within[n.Parent] = append(within[n.Parent], n)
	}
	for i, n := range within[""] {
		if len(within[n.ID]) == 0 {
			fmt.Fprintf(&b, "  %s [%s];\n", quoted(n.ID), attributes(n))
			continue
		}
		// The point stands for the box itself where edges end at it.
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s;\n    %s [shape=point, style=invis];\n", i, quoted(strings.TrimSpace(n.Label+" "+n.State)), quoted(n.ID))
		for _, c := range within[n.ID] {
			fmt.Fprintf(&b, "    %s [%s];\n", quoted(c.ID), attributes(c))
		}
		b.WriteString("  }\n")
	}
	for _, e := range m.Edges {
		style := ""
		if e.Kind != Connects {
			style = ", arrowhead=none"
		}
		if e.Kind == Listens {
			style += ", style=dotted"
		}
		fmt.Fprintf(&b, "  %s -> %s [class=%s%s];\n", quoted(e.Source), quoted(e.Target), quoted(string(e.Kind)), style)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func attributes(n Node) string {
	text := fmt.Sprintf("label=%s, class=%s", quoted(n.Label), quoted(string(n.Kind)))
	switch n.Kind {
	case AddressNode:
		text += ", style=\"rounded,dashed\""
	case SwitchNode, SubnetNode:
		text += ", shape=hexagon"
	case EndpointNode, PortNode, IPNode:
		text += ", shape=plaintext"
	}
	if n.State != "" {
		text += ", color=" + quoted(stateColour(n.State))
	}
	return text
}

// quoted is a string of the language: of what a host reports, a quote or a
// backslash begins nothing there.
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
