package console

import (
	"testing"

	"assimilation/saas/internal/web/ui"
)

func at(name string, lat, long float64, h hosts) site {
	return site{Name: name, Lat: &lat, Long: &long, hosts: h}
}

func TestWorldShowsAllPins(t *testing.T) {
	for name, sites := range map[string][]site{
		"one":        {at("paris", 48.86, 2.35, hosts{Up: 3})},
		"corners":    {at("a", 84, -180, hosts{}), at("b", -90, 180, hosts{Down: 1})},
		"neighbours": {at("paris", 48.86, 2.35, hosts{Up: 3}), at("paris 2", 48.87, 2.36, hosts{Down: 1}), at("sydney", -33.87, 151.21, hosts{Silent: 1})},
	} {
		w := worldOf(append(sites, site{Name: "nowhere"}))
		if len(w.pins) != len(sites) || w.unplaced != 1 {
			t.Fatalf("%s: %d pins, %d unplaced", name, len(w.pins), w.unplaced)
		}
		if w.left < 0 || w.top < 0 || w.left+w.width > landWidth+1e-9 || w.top+w.height > landHeight+1e-9 || w.width < leastWidth {
			t.Errorf("%s: shown is %+v", name, w)
		}
		for _, p := range w.pins {
			if p.x < w.left-1e-9 || p.x > w.left+w.width+1e-9 || p.y < w.top-1e-9 || p.y > w.top+w.height+1e-9 {
				t.Errorf("%s: %s at %.1f, %.1f is outside %+v", name, p.name, p.x, p.y, w)
			}
		}
	}
	w := worldOf([]site{at("paris", 48.86, 2.35, hosts{Up: 3}), at("paris 2", 48.87, 2.36, hosts{Down: 1})})
	if last := w.pins[1]; last.name != "paris 2" || last.tone != ui.Bad || !last.label || w.pins[0].label {
		t.Errorf("the worse of two in one place is not on top and named: %+v", w.pins)
	}
	if w.pins[1].title != "paris 2: 0 of 1 host up, 1 not well" {
		t.Error(w.pins[1].title)
	}
	if none := worldOf([]site{{Name: "x"}}); len(none.pins) != 0 || none.unplaced != 1 {
		t.Errorf("%+v", none)
	}
}
