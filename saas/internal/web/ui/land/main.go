// Command land writes the coarse outline of the world's land that the console's
// map of sites is drawn on, as an SVG: a unit is half a degree, north is up, and
// 180° west, 84° north is 0, 0. It reads land-110m.json of the npm package
// world-atlas, TopoJSON made of Natural Earth's data, which is in the public
// domain:
//
//	npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
//	go run ./saas/internal/web/ui/land package/land-110m.json >saas/internal/web/ui/assets/land.svg
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "land:", err)
		os.Exit(1)
	}
}

// tolerance is how far, in degrees, the outline may be from the data's; what is
// smaller than smallest square degrees is left out, and so is all south of south.
const (
	tolerance = 0.3
	smallest  = 1.5
	south     = -57
)

type point [2]float64

// topology is as much of TopoJSON as the file has.
type topology struct {
	Transform struct{ Scale, Translate point }
	Arcs      [][]point
	Objects   struct {
		Land struct {
			Geometries []struct{ Arcs [][][]int }
		}
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: land FILE")
	}
	raw, err := os.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("reading the atlas: %w", err)
	}
	var t topology
	if err := json.Unmarshal(raw, &t); err != nil {
		return fmt.Errorf("reading the atlas: %w", err)
	}
	fmt.Fprint(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 282"><path fill="#8190a8" d="`)
	for _, geometry := range t.Objects.Land.Geometries {
		for _, polygon := range geometry.Arcs {
			for _, ring := range polygon {
				line := unwrapped(t.ring(ring))
				fmt.Fprint(out, path(line, 0))
				if east(line) > 180 {
					fmt.Fprint(out, path(line, -360)) // what is beyond the edge is at the other, too
				}
			}
		}
	}
	fmt.Fprint(out, "\"/></svg>\n")
	return nil
}

// ring joins the arcs of a ring: differences of integers, and ~n is arc n from its
// end.
func (t topology) ring(arcs []int) (all []point) {
	for _, n := range arcs {
		at, backwards := n, n < 0
		if backwards {
			at = ^n
		}
		var arc []point
		var x, y float64
		for _, d := range t.Arcs[at] {
			x, y = x+d[0], y+d[1]
			arc = append(arc, point{x*t.Transform.Scale[0] + t.Transform.Translate[0], y*t.Transform.Scale[1] + t.Transform.Translate[1]})
		}
		if backwards {
			for i, j := 0, len(arc)-1; i < j; i, j = i+1, j-1 {
				arc[i], arc[j] = arc[j], arc[i]
			}
		}
		if len(all) > 0 {
			arc = arc[1:] // is where the last ended
		}
		all = append(all, arc...)
	}
	return all
}

// unwrapped is a ring that crosses 180° without a jump from one edge of the map to
// the other: it goes on beyond the edge.
func unwrapped(ring []point) []point {
	turns := 0.0
	for i := 1; i < len(ring); i++ {
		switch step := ring[i][0] + turns - ring[i-1][0]; {
		case step > 180:
			turns -= 360
		case step < -180:
			turns += 360
		}
		ring[i][0] += turns
	}
	least := 180.0
	for _, p := range ring {
		least = math.Min(least, p[0])
	}
	if least < -180.1 { // begun at the western edge
		for i := range ring {
			ring[i][0] += 360
		}
	}
	return ring
}

func east(ring []point) float64 {
	most := -180.0
	for _, p := range ring {
		most = math.Max(most, p[0])
	}
	return most
}

// path is a ring as relative steps of tenths, so many degrees to the east.
func path(ring []point, shift float64) string {
	if len(ring) < 4 || area(ring) < smallest || north(ring) < south {
		return ""
	}
	// A ring has no ends: it is cut where it is farthest from where it begins.
	far := 0
	for i, p := range ring {
		if distance(p, ring[0]) > distance(ring[far], ring[0]) {
			far = i
		}
	}
	half := simplify(ring[:far+1])
	kept := append(half[:len(half)-1:len(half)-1], simplify(ring[far:])...)
	var text strings.Builder
	var x, y int
	for i, p := range kept[:len(kept)-1] {
		px, py := int(math.Round((p[0]+shift+180)*20)), int(math.Round((84-math.Max(p[1], south))*20))
		if i == 0 {
			fmt.Fprintf(&text, "M%s %sl", tenths(px), tenths(py))
		} else if px != x || py != y {
			fmt.Fprintf(&text, "%s %s ", tenths(px-x), tenths(py-y))
		}
		x, y = px, py
	}
	return strings.TrimSpace(text.String()) + "z\n"
}

func tenths(n int) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/10), ".0")
}

// simplify is Douglas and Peucker's.
func simplify(line []point) []point {
	far, most := 0, 0.0
	for i := 1; i < len(line)-1; i++ {
		if d := offset(line[i], line[0], line[len(line)-1]); d > most {
			far, most = i, d
		}
	}
	if most <= tolerance {
		return []point{line[0], line[len(line)-1]}
	}
	head := simplify(line[:far+1])
	return append(head[:len(head)-1:len(head)-1], simplify(line[far:])...)
}

func distance(a, b point) float64 { return math.Hypot(a[0]-b[0], a[1]-b[1]) }

// offset is how far p is from the line of a and b.
func offset(p, a, b point) float64 {
	length := distance(a, b)
	if length == 0 {
		return distance(p, a)
	}
	return math.Abs((b[0]-a[0])*(a[1]-p[1])-(a[0]-p[0])*(b[1]-a[1])) / length
}

func area(ring []point) (sum float64) {
	for i, p := range ring {
		q := ring[(i+1)%len(ring)]
		sum += p[0]*q[1] - q[0]*p[1]
	}
	return math.Abs(sum) / 2
}

func north(ring []point) float64 {
	most := -90.0
	for _, p := range ring {
		most = math.Max(most, p[1])
	}
	return most
}
