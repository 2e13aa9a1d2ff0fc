package ui

import (
	"strconv"
	"time"
)

// Bar is how many things happened in a span of time, and where they are shown.
type Bar struct {
	From  time.Time
	Count int
	Href  string
	Here  bool // the page shows this one
}

// Bars are drawn in units of their own: each so wide, the highest so high.
const (
	barWidth  = 10
	barHeight = 48
)

func most(bars []Bar) int {
	most := 1
	for _, b := range bars {
		most = max(most, b.Count)
	}
	return most
}

// height of a bar; what is not nothing is seen.
func (b Bar) height(most int) int {
	if b.Count == 0 {
		return 0
	}
	return max(2, b.Count*barHeight/most)
}

func (b Bar) title(span time.Duration) string {
	layout := "Mon 2 Jan"
	if span < 24*time.Hour {
		layout = "Mon 2 Jan, 15:04"
	}
	return b.From.UTC().Format(layout) + ": " + strconv.Itoa(b.Count)
}
