package verdicts

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"

	"assimilation/uplink"
)

// drawing is the evidence on an axis of time, a lane for each who noticed
// something. The axis is of the moments' order, evenly spaced where they would
// otherwise lie upon one another, so that two seconds and two hours can both be
// read; each moment says its distance from the last sign of life.
type drawing struct {
	lanes   []lane
	moments []moment // of the axis, in order
	width   int
	height  int
}

type lane struct {
	name  string
	marks []mark
}

type mark struct {
	x     int
	tone  string // for, against: the verdict
	title string
}

type moment struct {
	x    int
	text string
	kind string // since, evidence, reached, over
}

// Measures in pixels.
const (
	laneHeight = 30
	axisHeight = 46
	nameWidth  = 170
	stepWidth  = 92
	nearMS     = 100 // what is closer together is one moment
	maxMoments = 12
	nameRoom   = 22 // characters
	markWidth  = 14
)

// drawingOf places the evidence. Past the number of moments that fit, the last
// one holds the rest.
func drawingOf(w Whole) drawing {
	times := []time.Time{w.Since, w.At}
	for _, e := range w.Evidence {
		times = append(times, e.At)
	}
	if w.OverAt != nil {
		times = append(times, *w.OverAt)
	}
	slices.SortFunc(times, time.Time.Compare)
	var d drawing
	var starts []time.Time
	for _, t := range times {
		if n := len(starts); n == 0 || t.Sub(starts[n-1]).Milliseconds() >= nearMS && n < maxMoments {
			d.moments = append(d.moments, moment{x: nameWidth + stepWidth/2 + n*stepWidth, text: after(t.Sub(w.Since).Milliseconds()), kind: "evidence"})
			starts = append(starts, t)
		}
	}
	at := func(t time.Time) int {
		i, exact := slices.BinarySearchFunc(starts, t, time.Time.Compare)
		if !exact {
			i--
		}
		return i
	}
	d.moments[at(w.Since)].kind, d.moments[at(w.Since)].text = "since", "last sign"
	d.moments[at(w.At)].kind = "reached"
	if w.OverAt != nil {
		d.moments[at(*w.OverAt)].kind = "over"
	}
	for _, e := range w.Evidence {
		name := "the relay"
		if e.By != nil {
			name = e.By.Name
		} else if e.Code == relaySilent {
			name = "the service"
		}
		i := slices.IndexFunc(d.lanes, func(l lane) bool { return l.name == name })
		if i < 0 {
			i = len(d.lanes)
			d.lanes = append(d.lanes, lane{name: name})
		}
		d.lanes[i].marks = append(d.lanes[i].marks, mark{d.moments[at(e.At)].x, weight(e.Code), after(e.AfterMS) + ": " + e.Text})
	}
	d.width, d.height = nameWidth+len(d.moments)*stepWidth, axisHeight+len(d.lanes)*laneHeight+8
	return d
}

// weight tells what speaks against a host from what speaks for its life.
func weight(code string) string {
	switch code {
	case uplink.StillHears.String(), uplink.EchoAnswered.String(), uplink.ConnectTaken.String(), uplink.HeardAgain.String():
		return "alive"
	case uplink.WitnessLate.String(), uplink.WitnessGone.String():
		return "doubt"
	}
	return "against"
}

// writeSVG draws; colours come from the page's style sheet, by class. The table
// beside it says the same in words.
func (d drawing) writeSVG(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" class="evidence-svg" role="img" aria-label="Who noticed what, and when">`,
		d.width, d.height)
	for _, m := range d.moments {
		fmt.Fprintf(&b, `<line class="moment" data-kind="%s" x1="%d" y1="%d" x2="%d" y2="%d"/><text x="%d" y="16" text-anchor="middle" data-kind="%s">%s</text>`,
			m.kind, m.x, axisHeight-14, m.x, d.height-6, m.x, m.kind, html.EscapeString(m.text))
		if label := map[string]string{"reached": "verdict", "over": "over"}[m.kind]; label != "" {
			fmt.Fprintf(&b, `<text x="%d" y="30" text-anchor="middle" data-kind="%s">%s</text>`, m.x, m.kind, label)
		}
	}
	for i, l := range d.lanes {
		y := axisHeight + i*laneHeight + laneHeight/2
		fmt.Fprintf(&b, `<line class="lane" x1="%d" y1="%d" x2="%d" y2="%d"/><text x="8" y="%d">%s</text>`, nameWidth-12, y, d.width-8, y, y+4,
			html.EscapeString(cut(l.name)))
		placed := map[int]int{} // marks of one moment stand beside each other
		for _, m := range l.marks {
			x := m.x + markWidth*min(placed[m.x], 3)
			placed[m.x]++
			fmt.Fprintf(&b, `<g class="mark" data-tone="%s"><title>%s</title>%s</g>`, m.tone, html.EscapeString(l.name+", "+m.title), shape(m.tone, x, y))
		}
	}
	b.WriteString(`</svg>`)
	_, err := io.WriteString(out, b.String())
	return err
}

// shape tells the tones apart without colour: round is alive, a square speaks
// against it, a ring is a doubt.
func shape(tone string, x, y int) string {
	switch tone {
	case "alive":
		return fmt.Sprintf(`<circle cx="%d" cy="%d" r="6"/>`, x, y)
	case "doubt":
		return fmt.Sprintf(`<circle cx="%d" cy="%d" r="5" fill="none" stroke-width="2"/>`, x, y)
	}
	return fmt.Sprintf(`<rect x="%d" y="%d" width="11" height="11"/>`, x-5, y-5)
}

// cut shortens a name to the room before its lane.
func cut(name string) string {
	if runes := []rune(name); len(runes) > nameRoom {
		return string(runes[:nameRoom-1]) + "…"
	}
	return name
}
