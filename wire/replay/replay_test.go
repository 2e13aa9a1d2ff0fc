package replay_test

import (
	"testing"

	"pgregory.net/rapid"

	"assimilation/wire"
	"assimilation/wire/replay"
)

func TestWindow(t *testing.T) {
	const w = wire.ReplayWindow
	for _, c := range []struct {
		name     string
		counters []uint64
		fresh    []bool
	}{
		{"first is 0", []uint64{0, 0}, []bool{true, false}},
		{"in order", []uint64{0, 1, 2, 1, 3}, []bool{true, true, true, false, true}},
		{"late", []uint64{5, 3, 4, 3, 0}, []bool{true, true, true, false, true}},
		{"oldest still in the window", []uint64{w, 1, 1}, []bool{true, true, false}},
		{"just too old", []uint64{w, 0}, []bool{true, false}},
		{"first is late", []uint64{1 << 40, 1<<40 - w + 1, 1<<40 - w}, []bool{true, true, false}},
		{"jump clears", []uint64{0, w, 2 * w, w + 1, w}, []bool{true, true, true, true, false}},
		{"jump by one word", []uint64{63, 64, 127, 128, 63}, []bool{true, true, true, true, false}},
		{"jump round the ring", []uint64{7, 7 + w + 64, 8 + w, 7 + w}, []bool{true, true, true, true}},
		{"end of the numbers", []uint64{1<<64 - 2, 1<<64 - 2, 1<<64 - 3}, []bool{true, false, true}},
	} {
		var window replay.Window
		for i, counter := range c.counters {
			if window.Check(counter) != c.fresh[i] || window.Accept(counter) != c.fresh[i] {
				t.Errorf("%s: counter %d, the %d. datagram: fresh is not %t", c.name, counter, i, c.fresh[i])
			}
		}
	}
}

// TestWindowAgainstASet compares with the obvious: a set of all counters.
func TestWindowAgainstASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var window replay.Window
		seen := map[uint64]bool{}
		var highest uint64
		step := rapid.OneOf(rapid.Int64Range(-3000, 100), rapid.Int64Range(-5, 70), rapid.Int64Range(0, 10_000))
		for range rapid.IntRange(1, 300).Draw(t, "datagrams") {
			counter := uint64(max(0, int64(highest)+step.Draw(t, "step")))
			want := !seen[counter] && (counter > highest || highest-counter < wire.ReplayWindow)
			if got := window.Accept(counter); got != want {
				t.Fatalf("counter %d, highest %d: fresh %t", counter, highest, got)
			}
			if want {
				seen[counter] = true
				highest = max(highest, counter)
			}
		}
	})
}

func BenchmarkAccept(b *testing.B) {
	var window replay.Window
	counter := uint64(0)
	for b.Loop() {
		window.Accept(counter)
		counter++
	}
}
