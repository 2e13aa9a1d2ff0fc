package console

import (
	"cmp"
	"fmt"
	"slices"

	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

// The picture of the land: half a degree is a unit.
const (
	landWidth, landHeight = 720.0, 282.0
	// The part that is shown is at least so wide, so that a single site is seen
	// among its neighbours; its sides are as the land's.
	leastWidth = 150.0
	// shownWidth is about how many pixels wide the map is on the page.
	shownWidth = 520.0
	// maxLabels bounds the names on the map: others are named by their titles.
	maxLabels = 40
)

// world is the map of the sites that have a place.
type world struct {
	left, top, width, height float64 // what is shown of the land
	pins                     []pin
	unplaced                 int // sites that nobody has said the place of
}

// pin is a site on the map, in its units.
type pin struct {
	id     tenancy.SiteID
	name   string
	title  string
	x, y   float64
	tone   ui.Tone
	label  bool
	before bool // the label stands left of the pin
}

func worldOf(sites []site) world {
	w := world{}
	for _, s := range sites {
		if s.Lat == nil {
			w.unplaced++
			continue
		}
		p := pin{id: s.ID, name: s.Name, title: s.Name, x: (*s.Long + 180) * 2, y: (84 - *s.Lat) * 2, tone: s.tone()}
		if s.Place != "" {
			p.title += ", " + s.Place
		}
		p.title += ": " + s.words()
		p.y = min(max(p.y, 4), landHeight-4) // Antarctica is not drawn
		w.pins = append(w.pins, p)
	}
	if len(w.pins) > 0 {
		w.frame()
		w.label()
	}
	return w
}

// frame chooses what is shown: all pins, with some land around.
func (w *world) frame() {
	left, right, top, bottom := landWidth, 0.0, landHeight, 0.0
	for _, p := range w.pins {
		left, right, top, bottom = min(left, p.x), max(right, p.x), min(top, p.y), max(bottom, p.y)
	}
	const ratio = landWidth / landHeight
	w.width = min(landWidth, max(leastWidth, (right-left)*1.35, (bottom-top)*1.5*ratio))
	w.height = w.width / ratio
	w.left = min(max(0, (left+right-w.width)/2), landWidth-w.width)
	w.top = min(max(0, (top+bottom-w.height)/2), landHeight-w.height)
}

// unit is the size of a pixel, roughly, in units of the map.
func (w *world) unit() float64 { return w.width / shownWidth }

// label writes the names of as many pins as have room, the worst first.
func (w *world) label() {
	severity := map[ui.Tone]int{ui.Bad: 0, ui.Warn: 1, ui.Good: 2, ui.Idle: 3}
	slices.SortStableFunc(w.pins, func(a, b pin) int { return cmp.Compare(severity[a.tone], severity[b.tone]) })
	type box struct{ left, right, top, bottom float64 }
	var taken []box
	u := w.unit()
	for i := range w.pins {
		p := &w.pins[i]
		length := (float64(len([]rune(p.name)))*6.5 + 10) * u
		p.before = p.x+length > w.left+w.width
		at := box{p.x, p.x + length, p.y - 8*u, p.y + 8*u}
		if p.before {
			at.left, at.right = p.x-length, p.x
		}
		p.label = len(taken) < maxLabels && !slices.ContainsFunc(taken, func(t box) bool {
			return at.left < t.right && t.left < at.right && at.top < t.bottom && t.top < at.bottom
		})
		if p.label {
			taken = append(taken, at)
		}
	}
	slices.Reverse(w.pins) // the worst is drawn last, on top
}

// tone is the worst of what is known of a site.
func (s site) tone() ui.Tone {
	switch {
	case s.Down > 0:
		return ui.Bad
	case s.Unknown > 0 || s.Silent > 0:
		return ui.Warn
	case s.Up > 0:
		return ui.Good
	}
	return ui.Idle
}

func (s site) words() string {
	if s.all() == 0 {
		return "no hosts yet"
	}
	words := fmt.Sprintf("%d of %s up", s.Up, ui.Count(s.all(), "host", "hosts"))
	if s.Down > 0 {
		words += fmt.Sprintf(", %d not well", s.Down)
	}
	if s.Unknown > 0 {
		words += fmt.Sprintf(", %d unknown", s.Unknown)
	}
	return words
}

// decimal writes a length of the map.
func decimal(f float64) string { return fmt.Sprintf("%.2f", f) }
