package verdict

import (
	"math/rand/v2"
	"testing"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/uplink"
)

// FuzzEngine gives the engine events in any order, at any pace, most of them
// nonsense: it must hold its books together.
func FuzzEngine(f *testing.F) {
	f.Add([]byte{0, 1, 2, 0, 0, 2, 1, 0, 2, 1, 2, 0, 3, 1, 0, 9, 4, 1, 0, 0, 5, 1, 0, 0})
	f.Add([]byte("0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1v2w3x4y5z"))
	f.Fuzz(nonsense)
}

// TestNonsense is the same, with scripts that are longer than a fuzzer likes.
func TestNonsense(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 4))
		script := make([]byte, 6000)
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		if nonsense(t, script); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func nonsense(t *testing.T, script []byte) {
	var ids uint16
	e := New(Config{
		Self: ring.ID{0xff}, Name: func(string) []byte { return make([]byte, 16) },
		NewID: func() [16]byte { ids++; return [16]byte{byte(ids >> 8), byte(ids), 1} },
	})
	id := func(b byte) ring.ID { return ring.ID{b%12 + 1} }
	now := time.UnixMilli(1_700_000_000_000)
	open := map[string]uplink.VerdictKind{}
	out := map[ring.ID]bool{}
	step := func(ev Event) {
		made := e.Step(now, ev)
		for _, v := range made.Verdicts {
			if message := checkVerdict(v); message != "" {
				t.Fatalf("%s: %s", v.Kind, message)
			}
			if kind, ok := open[string(v.ID)]; ok && kind != v.Kind {
				t.Fatalf("a verdict was %s and is %s", kind, v.Kind)
			}
			if open[string(v.ID)] = v.Kind; v.Over != 0 {
				delete(open, string(v.ID))
			}
		}
		for _, id := range made.Gone {
			out[id] = true
		}
		for _, id := range made.Back {
			delete(out, id)
		}
		if wake := e.Wake(); !wake.IsZero() && now.Sub(wake) > 0 {
			t.Fatalf("the next tick was due %v ago", now.Sub(wake))
		}
	}
	for ; len(script) >= 4; script = script[4:] {
		what, a, b, c := script[0], id(script[1]), id(script[2]), script[3]
		now = now.Add(time.Duration(c) * 20 * time.Millisecond)
		switch what % 17 {
		case 0, 16:
			step(Placed{Host{Member: ring.Member{ID: a, Domain: string('a' + rune(c%3)), Zone: string('x' + rune(c/3%2))}, Watchers: []ring.ID{b, id(c), e.config.Self}}})
		case 1:
			step(Missed{By: b, About: a, Age: time.Duration(c) * time.Second / 10, Late: c & 1, Refused: c&2 != 0})
		case 2:
			step(Hears{By: b, About: a})
		case 3:
			step(Echoed{a, c&1 != 0})
		case 4:
			step(Connected{a, Outcome(c % 5)})
		case 5:
			step(Unheard{a})
		case 6:
			step(Heard{a})
		case 7:
			step(Silent{a})
		case 8:
			step(Left{a})
		case 9:
			step(Greeted{a})
		case 10:
			step(Cloned{a, c&1 != 0})
		case 11:
			step(Carrier{c&1 != 0})
		case 12:
			step(Removed{a})
			delete(out, a)
		case 13:
			step(Missed{By: e.config.Self, About: a})
		case 14: // all that is asked is silent
			for x := byte(1); x <= 12; x++ {
				step(Echoed{ring.ID{x}, false})
				step(Connected{ring.ID{x}, NoAnswer})
			}
		default:
			for range 100 {
				if wake := e.Wake(); !wake.IsZero() && wake.After(now) {
					now = wake
				}
				step(Tick{})
			}
		}
	}
	if len(open) != len(e.Open()) {
		t.Errorf("%d verdicts stand as told, %d as kept", len(open), len(e.Open()))
	}
	for _, d := range e.domains {
		var counts [answers]int
		judged := 0
		for _, x := range d.doubts {
			counts[x.answer]++
		}
		for _, h := range d.members {
			if h.verdict != nil {
				judged++
			}
		}
		if counts != d.counts || judged != d.judged || (len(d.doubts) == 0) != (d.stage == quiet) {
			t.Errorf("domain %s: counts %v of %v, judged %d of %d, %d doubts at stage %d", d.name, d.counts, counts, d.judged, judged, len(d.doubts), d.stage)
		}
	}
	for _, h := range e.list {
		if out[h.ID] != h.out {
			t.Errorf("%v is out: told %t, kept %t", h.ID, out[h.ID], h.out)
		}
	}
}
