package verdict

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/uplink"
)

// largeSite is 100,000 hosts: zones of 5,000 (104 switches of 48 and one of 8),
// one of them with ten racks of 40 behind a switch each instead.
func largeSite(t testing.TB) *site {
	s := newSite(t, 7)
	for z := range 20 {
		zone, left := fmt.Sprintf("zone%d", z), 5000
		for n := 0; left > 0; n++ {
			size := min(48, left)
			if z == 0 && n < 10 {
				size = 40
			}
			s.add(fmt.Sprintf("z%ds%d.", z, n), zone, size)
			left -= size
		}
	}
	return s
}

// disasters are what happens to the large site, each by itself, and how many
// hosts it takes.
var disasters = []struct {
	name  string
	kind  uplink.VerdictKind
	hosts int
	asks  int // at most, before all is told
	do    func(s *site)
}{
	{"a host dies", uplink.HostDown, 1, 12, func(s *site) {
		m := s.switches["z3s7."].hosts[5]
		m.off = true
		s.changed(m)
	}},
	{"a rack of 40", uplink.SwitchDown, 40, 100, func(s *site) { s.fell("z0s3.") }},
	{"a switch of 48", uplink.SwitchDown, 48, 100, func(s *site) { s.fell("z9s50.") }},
	{"a zone of 5,000", uplink.ZoneDown, 5000, 5600, func(s *site) {
		var names []string
		for name, w := range s.switches {
			if w.zone == "zone4" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		s.fell(names...)
	}},
}

func (s *site) fell(names ...string) {
	for _, name := range names {
		s.switches[name].down = true
	}
	for _, name := range names {
		s.changed(s.switches[name].hosts...)
	}
}

// figures are what one disaster came to.
type figures struct {
	verdicts, told int
	after, whole   time.Duration // to the first record, and to the one that names all
	asks, orders   int
	steps          int
	spent          time.Duration
}

func (s *site) suffer(do func(*site)) (f figures, last uplink.VerdictBody) {
	s.told, s.asks, s.orders, s.steps, s.spent, s.start = nil, 0, 0, 0, 0, s.now
	do(s)
	s.run(30 * time.Second)
	opened := map[string]bool{}
	hosts := 0
	for _, v := range s.told {
		opened[string(v.ID)] = true
		if last = v.VerdictBody; len(v.Hosts) > hosts {
			hosts, f.whole = len(v.Hosts), v.after
		}
	}
	f.verdicts, f.told, f.asks, f.orders, f.steps, f.spent = len(opened), len(s.told), s.asks, s.orders, s.steps, s.spent
	if len(s.told) > 0 {
		f.after = s.told[0].after
	}
	return f, last
}

func (f figures) String() string {
	return fmt.Sprintf("%d verdict(s) in %d record(s), after %v, whole after %v; %d asked, %d orders, %d events, %v of CPU in the engine",
		f.verdicts, f.told, f.after.Round(time.Millisecond), f.whole.Round(time.Millisecond), f.asks, f.orders, f.steps, f.spent.Round(time.Microsecond))
}

// TestLargeSite: 100,000 hosts are powered on, and disasters happen to them one
// after the other: one verdict each.
func TestLargeSite(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	s := largeSite(t)
	begun := time.Now()
	for i, m := range s.hosts { // all within a minute
		s.in(time.Duration(i)*time.Minute/time.Duration(len(s.hosts)), func() { s.enrol(m) })
	}
	s.run(3 * time.Minute)
	t.Logf("power-on of %d hosts: %d verdicts, %d asked, %d orders, %d events, %v of CPU in the engine, %v of the simulation",
		len(s.hosts), len(s.told), s.asks, s.orders, s.steps, s.spent.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	if len(s.told) > 0 {
		t.Errorf("a power-on made %d verdicts: %s", len(s.told), s.account()[0])
	}
	for _, d := range disasters {
		f, last := s.suffer(d.do)
		t.Logf("%s: %v", d.name, f)
		if f.verdicts != 1 || last.Kind != d.kind || len(last.Hosts) != d.hosts {
			t.Errorf("%s: %d verdicts, the last %s with %d hosts: %.400s", d.name, f.verdicts, last.Kind, len(last.Hosts), strings.Join(s.account(), "; "))
		}
		if f.after > 6*time.Second {
			t.Errorf("%s was told after %v", d.name, f.after)
		}
		if f.asks > d.asks {
			t.Errorf("%s: %d asked, at most %d", d.name, f.asks, d.asks)
		}
	}
}

// BenchmarkDisasters prints what they cost the engine, on a site of 100,000.
func BenchmarkDisasters(b *testing.B) {
	s := largeSite(b)
	s.enrol(s.hosts...)
	s.run(time.Minute)
	for _, d := range disasters {
		b.Run(strings.ReplaceAll(d.name, " ", "_"), func(b *testing.B) {
			if b.N > 1 {
				b.Skip("it happens once: -benchtime 1x")
			}
			f, _ := s.suffer(d.do)
			b.ReportMetric(f.after.Seconds(), "s/verdict")
			b.ReportMetric(f.whole.Seconds(), "s/whole")
			b.ReportMetric(float64(f.verdicts), "verdicts")
			b.ReportMetric(float64(f.asks), "asked")
			b.ReportMetric(float64(f.orders), "orders")
			b.ReportMetric(float64(f.spent.Microseconds()), "µs-engine")
			b.ReportMetric(0, "ns/op")
		})
	}
}
