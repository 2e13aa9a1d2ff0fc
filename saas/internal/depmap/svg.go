package depmap

import (
	"fmt"
	"html"
	"io"
	"strings"
	"unicode/utf8"
)

// Characters that fit into a node of a width, about.
const (
	characterWidth = 7
	lineRoom       = 20
)

// WriteSVG draws the map. The colours are the light theme's; a page's style
// sheet replaces them by class.
func (m Map) WriteSVG(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" class="map-svg" font-family="system-ui, sans-serif" font-size="13">`, m.Width, m.Height)
	fmt.Fprintf(&b, `<title>%s</title>`, html.EscapeString("Map: "+m.Title))
	byID := map[string]Node{}
	for _, n := range m.Nodes {
		byID[n.ID] = n
		if n.Parent == "" {
			writeNode(&b, n)
		}
	}
	for _, e := range m.Edges {
		writeEdge(&b, e, byID[e.Source], byID[e.Target])
	}
	for _, n := range m.Nodes {
		if n.Parent != "" {
			writeNode(&b, n)
		}
	}
	b.WriteString(`</svg>`)
	_, err := io.WriteString(w, b.String())
	return err
}

// colours are fill and line of each kind.
var colours = map[NodeKind][2]string{
	HostNode: {"#ffffff", "#c5ccd8"}, AddressNode: {"#f5f6f8", "#c5ccd8"}, ServiceNode: {"#e6edfb", "#2456c9"}, EndpointNode: {"#f8f9fb", "#c5ccd8"},
	IPNode: {"#f8f9fb", "#c5ccd8"}, SubnetNode: {"#e9f4ee", "#146c43"}, SwitchNode: {"#fbf1e2", "#855300"}, PortNode: {"#f8f9fb", "#c5ccd8"}, GroupNode: {"#e6edfb", "#2456c9"},
	RingNode: {"#f5f6f8", "#c5ccd8"}, ChildNode: {"#f3ebfa", "#6b3fa0"}, UnitNode: {"#f8f9fb", "#6c7788"}, CertificateNode: {"#e9f4ee", "#146c43"}, DiskNode: {"#fbf1e2", "#855300"},
}

func writeNode(b *strings.Builder, n Node) {
	if n.Href != "" {
		fmt.Fprintf(b, `<a href="%s">`, html.EscapeString(n.Href))
	}
	class := "map-" + string(n.Kind)
	if n.Focus {
		class += " map-focus"
	}
	dash, radius, colour := "", 6, colours[n.Kind]
	switch n.Kind {
	case AddressNode:
		dash = ` stroke-dasharray="4 3"`
	case EndpointNode, IPNode, PortNode:
		radius = n.H / 2
	}
	text := n.Label
	if n.Detail != "" {
		text += " (" + n.Detail + ")"
	}
	if n.State != "" {
		text += ", " + n.State
	}
	fmt.Fprintf(b, `<g class="%s"><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="%d" fill="%s" stroke="%s"%s/>`,
		class, html.EscapeString(text), n.X-n.W/2, n.Y-n.H/2, n.W, n.H, radius, colour[0], colour[1], dash)
	if n.Parent == "" {
		top := n.Y - n.H/2 + 25
		left := n.X - n.W/2 + 12
		if n.Kind == HostNode {
			fmt.Fprintf(b, `<circle class="map-state" data-state="%s" cx="%d" cy="%d" r="4" fill="%s"/>`, html.EscapeString(n.State), left+4, top-5, stateColour(n.State))
			left += 16
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="#18202c" font-weight="600">%s</text>`, left, top, html.EscapeString(shortened(n.Label, n.W-lineRoom)))
	} else {
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="#18202c" text-anchor="middle">%s</text>`, n.X, n.Y+5, html.EscapeString(shortened(n.Label, n.W)))
	}
	b.WriteString(`</g>`)
	if n.Href != "" {
		b.WriteString(`</a>`)
	}
}

func stateColour(state string) string {
	switch state {
	case "up":
		return "#146c43"
	case "silent", "agent down", "unresponsive":
		return "#855300"
	case "down", "unreachable":
		return "#a8281f"
	}
	return "#4a5568"
}

// writeEdge draws from the right side of the source to the left of the target;
// within a box, whose services stand right of its endpoints, the other way.
func writeEdge(b *strings.Builder, e Line, from, to Node) {
	if from.ID == "" || to.ID == "" {
		return
	}
	x1, y1, x2, y2 := from.X+from.W/2, from.Y, to.X-to.W/2, to.Y
	bend := max(40, (x2-x1)/2)
	switch {
	case e.Kind == Listens:
		bend = 16
	case e.Kind == Beats:
		x1, x2, bend = from.X, to.X, 0
	case from.Parent != "" && from.Parent == to.Parent:
		x1, x2, bend = from.X-from.W/2, to.X+to.W/2, -innerGap/2
	}
	fmt.Fprintf(b, `<path class="map-%s" d="M%d %d C%d %d %d %d %d %d" fill="none" stroke="%s" stroke-width="1.5"/>`,
		e.Kind, x1, y1, x1+bend, y1, x2-bend, y2, x2, y2, edgeColours[e.Kind])
}

// shortened cuts a text to what fits into a width, in pixels.
func shortened(s string, width int) string {
	room := max(4, width/characterWidth-1)
	if utf8.RuneCountInString(s) <= room {
		return s
	}
	runes := []rune(s)
	return string(runes[:room/2]) + "…" + string(runes[len(runes)-(room-room/2-1):])
}

var edgeColours = map[EdgeKind]string{Listens: "#c5ccd8", Connects: "#6c7788", Within: "#146c43", Wired: "#855300", Beats: "#2456c9", Belongs: "#6b3fa0", IsGuest: "#6b3fa0"}
