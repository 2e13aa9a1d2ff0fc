package topology

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"strings"
	"unicode/utf8"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// A picture of more is no picture; the table has all.
const (
	maxDrawn     = 120 // switches
	maxDrawnHost = 64  // of one switch
)

// Sizes, in pixels.
const (
	boxWidth   = 300
	boxGap     = 24
	rowHeight  = 22
	headHeight = 48
	columns    = 3
	zoneHeight = 34
	character  = 7
)

// spot is where a host's state is drawn.
type spot struct{ x, y int }

type drawing struct {
	b      strings.Builder
	hosts  map[tenancy.HostID]uplink.TopologyHost
	spots  map[tenancy.HostID]spot
	bottom int
	left   int // switches that were left out
}

// writeSVG draws switches with their ports and hosts, zone by zone; the colours
// are the light theme's.
func writeSVG(w io.Writer, t uplink.Topology, rings bool) error {
	d := &drawing{hosts: map[tenancy.HostID]uplink.TopologyHost{}, spots: map[tenancy.HostID]spot{}}
	of := map[string][]uplink.TopologyHost{}
	for _, h := range t.Hosts {
		d.hosts[h.Host] = h
		of[h.Domain] = append(of[h.Domain], h)
	}
	byZone, order := map[string][]uplink.TopologySwitch{}, []string{}
	for _, z := range t.Zones {
		order = append(order, z.Name)
	}
	order = append(order, "")
	known := map[string]bool{}
	for _, name := range order {
		known[name] = true
	}
	for i, s := range t.Switches {
		if i >= maxDrawn {
			d.left++
			continue
		}
		if !known[s.Zone] {
			s.Zone = ""
		}
		byZone[s.Zone] = append(byZone[s.Zone], s)
	}
	for _, name := range order {
		d.zone(cmp.Or(name, "no zone known"), byZone[name], of)
	}
	if d.left > 0 {
		fmt.Fprintf(&d.b, `<text x="%d" y="%d" fill="#4a5568">and %d more, which the table has</text>`, boxGap, d.bottom+rowHeight, d.left)
		d.bottom += rowHeight
	}
	if rings {
		for _, r := range t.Rings {
			d.ring(r)
		}
	}
	width := columns*(boxWidth+boxGap) + boxGap
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" class="map-svg" font-family="system-ui, sans-serif" font-size="13"><title>Topology</title>%[3]s</svg>`,
		width, d.bottom+boxGap, d.b.String())
	return err
}

// zone draws the switches of a zone in rows.
func (d *drawing) zone(name string, switches []uplink.TopologySwitch, of map[string][]uplink.TopologyHost) {
	if len(switches) == 0 {
		return
	}
	fmt.Fprintf(&d.b, `<text x="%d" y="%d" fill="#4a5568" font-weight="600">%s</text>`, boxGap, d.bottom+zoneHeight-8, html.EscapeString(name))
	d.bottom += zoneHeight
	for len(switches) > 0 {
		row := switches[:min(columns, len(switches))]
		switches = switches[len(row):]
		lowest := d.bottom
		for i, s := range row {
			lowest = max(lowest, d.box(boxGap+i*(boxWidth+boxGap), d.bottom, s, of[s.Domain]))
		}
		d.bottom = lowest + boxGap
	}
}

// box draws one switch and returns where it ends.
func (d *drawing) box(x, y int, s uplink.TopologySwitch, members []uplink.TopologyHost) int {
	rows := rowsOf(s, members, d.hosts)
	height := headHeight + rowHeight*min(len(rows), maxDrawnHost) + 8
	more := len(rows) - maxDrawnHost
	if more > 0 {
		height += rowHeight
	}
	line, fill := "#c5ccd8", "#ffffff"
	if s.State == "down" {
		line, fill = "#a61b1b", "#fdf0f0"
	}
	fmt.Fprintf(&d.b, `<g class="map-host"><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="%s" stroke="%s"/>`,
		html.EscapeString(nameOf(s)+", "+s.State), x, y, boxWidth, height, fill, line)
	fmt.Fprintf(&d.b, `<text x="%d" y="%d" fill="#18202c" font-weight="600">%s</text>`, x+12, y+20, html.EscapeString(shortened(nameOf(s), boxWidth-24)))
	fmt.Fprintf(&d.b, `<text x="%d" y="%d" fill="#4a5568" font-size="11">%s</text>`, x+12, y+36, html.EscapeString(shortened(chassisOf(s), boxWidth)))
	for i, r := range rows[:min(len(rows), maxDrawnHost)] {
		at := y + headHeight + i*rowHeight + 14
		fmt.Fprintf(&d.b, `<text x="%d" y="%d" fill="#4a5568" font-size="11">%s</text>`, x+12, at, html.EscapeString(shortened(r.port, 100)))
		fmt.Fprintf(&d.b, `<circle class="map-state" data-state="%s" cx="%d" cy="%d" r="4" fill="%s"/>`, html.EscapeString(r.host.State), x+120, at-4, colourOf(r.host.State))
		fmt.Fprintf(&d.b, `<a href="/hosts/%s"><text x="%d" y="%d" fill="#18202c">%s</text></a>`, r.host.Host, x+132, at, html.EscapeString(shortened(r.host.Name, boxWidth-150)))
		if _, drawn := d.spots[r.host.Host]; !drawn {
			d.spots[r.host.Host] = spot{x + 120, at - 4}
		}
	}
	if more > 0 {
		fmt.Fprintf(&d.b, `<text x="%d" y="%d" fill="#4a5568">and %d more</text>`, x+12, y+height-12, more)
	}
	d.b.WriteString(`</g>`)
	return y + height
}

// row is a host at its port, or without one.
type row struct {
	port string
	host uplink.TopologyHost
}

func rowsOf(s uplink.TopologySwitch, members []uplink.TopologyHost, hosts map[tenancy.HostID]uplink.TopologyHost) (rows []row) {
	wired := map[tenancy.HostID]bool{}
	for _, p := range s.Ports {
		if h, known := hosts[p.Host]; known {
			wired[p.Host] = true
			rows = append(rows, row{p.Port, h})
		}
	}
	for _, h := range members {
		if !wired[h.Host] {
			rows = append(rows, row{"", h})
		}
	}
	return rows
}

// ring draws a cycle through the hosts that are in the picture.
func (d *drawing) ring(r uplink.TopologyRing) {
	var points []string
	for _, id := range r.Members {
		if at, drawn := d.spots[id]; drawn {
			points = append(points, fmt.Sprintf("%d,%d", at.x, at.y))
		}
	}
	if len(points) < 2 {
		return
	}
	colour := map[string]string{"switch": "#2456c9", "zone": "#855300", "site": "#a61b1b"}[r.Level]
	fmt.Fprintf(&d.b, `<polygon points="%s" fill="none" stroke="%s" stroke-opacity="0.6"><title>%s</title></polygon>`,
		strings.Join(points, " "), cmp.Or(colour, "#4a5568"), html.EscapeString("ring of "+r.Level+" "+r.Name))
}

func colourOf(state string) string {
	switch uplink.State(state) {
	case uplink.Up:
		return "#146c43"
	case uplink.Silent, uplink.AgentDown, uplink.Unresponsive:
		return "#855300"
	case uplink.Down, uplink.Unreachable:
		return "#a61b1b"
	}
	return "#4a5568"
}

// nameOf is what people call a switch.
func nameOf(s uplink.TopologySwitch) string {
	if s.Chassis == "" {
		return "subnet " + cmp.Or(s.Subnet, "not known")
	}
	return cmp.Or(s.Name, s.Chassis)
}

func chassisOf(s uplink.TopologySwitch) string {
	if s.Chassis == "" {
		return "no switch tells of itself here"
	}
	return s.Chassis
}

// shortened cuts a text to what fits into a width, in pixels.
func shortened(s string, width int) string {
	room := max(4, width/character)
	if utf8.RuneCountInString(s) <= room {
		return s
	}
	return string([]rune(s)[:room-1]) + "…"
}
