package send

import (
	"slices"
	"testing"
	"time"
)

func middle() float64 { return 0.5 } // no jitter

// events are seconds after the start at which something happens.
func TestLiveness(t *testing.T) {
	for _, c := range []struct {
		name    string
		pending []int // a message begins to wait for acknowledgement
		heard   []int // an authentic datagram comes
		until   int
		echoes  []int
		lost    int // 0: never
	}{
		{"silence", nil, nil, 100, []int{30, 31, 33}, 37},
		{"every echo is answered", nil, []int{31, 62}, 80, []int{30, 61}, 0},
		{"the last try is answered", nil, []int{36}, 60, []int{30, 31, 33}, 0},
		{"upload without answer: 8 s", []int{10}, nil, 60, []int{11, 12, 14}, 18},
		{"upload paced by a relay that lives", []int{10}, []int{11, 13, 15}, 16, []int{12, 14, 16}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Unix(1_800_000_000, 0)
			l := newLiveness(defaultEcho, start, middle)
			var echoes []int
			lostAt, waits := 0, false
			for s := 1; s <= c.until && lostAt == 0; s++ {
				now := start.Add(time.Duration(s) * time.Second)
				for _, h := range c.heard {
					if h == s {
						l.heard(now)
					}
				}
				for _, p := range c.pending {
					waits = waits || p == s
				}
				ask, lost := l.step(now)
				if ask {
					echoes = append(echoes, s)
				}
				if lost {
					lostAt = s
				}
				l.pending(waits, now)
			}
			if lostAt != c.lost || !slices.Equal(echoes, c.echoes) {
				t.Errorf("echoes at %v, lost at %d; want %v, %d", echoes, lostAt, c.echoes, c.lost)
			}
		})
	}
}

func TestEchoJitter(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	for random, want := range map[float64]time.Duration{0: 27 * time.Second, 0.5: 30 * time.Second, 1: 33 * time.Second} {
		l := newLiveness(defaultEcho, start, func() float64 { return random })
		if got := l.next.Sub(start); got != want {
			t.Errorf("random %v: first echo after %v, want %v", random, got, want)
		}
	}
}
