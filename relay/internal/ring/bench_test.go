package ring

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkRing100000 is one leave, join and move each among 100,000 hosts on
// 2,000 switches in 20 zones.
func BenchmarkRing100000(b *testing.B) {
	const hosts = 100_000
	members := make([]Member, hosts)
	for n := range members {
		domain := n % 2000
		members[n] = Member{ID: id(n), Domain: fmt.Sprint("switch ", domain), Zone: fmt.Sprint("zone ", domain%20), Risk: fmt.Sprint("hypervisor ", n/30)}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := New(self)
	for _, m := range members {
		s.Join(m)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	told, n := 0, 0
	for b.Loop() {
		m := members[n%hosts]
		told += len(s.Leave(m.ID)) + len(s.Join(m))
		m.Domain += " over there"
		told += len(s.Move(m)) + len(s.Move(members[n%hosts]))
		n += 7919
	}
	b.ReportMetric(float64(told)/float64(4*b.N), "told/event")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/hosts, "B/host")
	if err := s.Audit(); err != nil {
		b.Fatal(err)
	}
}
