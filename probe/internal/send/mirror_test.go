package send

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/probe/internal/ledger"
	"assimilation/wire"
)

var (
	modelKind  = discovery.Kind{Name: "m", Version: 1}
	modelStart = time.Unix(1_800_000_000, 0)
)

// model is a relay that takes messages in any order and loses none.
type model struct {
	facts    map[ledger.Key]string
	problems map[ledger.Key]string
}

func (m *model) take(t *testing.T, message wire.Message) {
	t.Helper()
	switch x := message.(type) {
	case *wire.FactPut:
		m.facts[ledger.Key{Kind: x.Kind, Instance: x.Instance}] = string(x.Body)
	case *wire.FactGone:
		delete(m.facts, ledger.Key{Kind: x.Kind, Instance: x.Instance})
	case *wire.Problem:
		key := ledger.Key{Kind: x.Kind, Instance: x.Instance}
		if m.problems[key] = x.Detail; x.Detail == "" {
			delete(m.problems, key)
		}
	default:
		t.Fatalf("unexpected %T", message)
	}
}

// Whatever changes, and in whatever order messages arrive and are refused for
// passing reasons, the relay ends up with what the probe holds.
func TestMirrorConverges(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			book, relay, mirror := ledger.New(), &model{map[ledger.Key]string{}, map[ledger.Key]string{}}, newMirror()
			stale := fact(t, "stale", 0)
			relay.facts[ledger.Key{Kind: "m", Instance: "stale"}] = string(stale.Body)
			mirror.assume(&wire.Digests{Kinds: []string{"m"}, Facts: []wire.Digest{digest(stale)}}, nil)
			type flying struct {
				id uint32
				due
			}
			var air []flying
			next, now := uint32(1), modelStart
			for step := range 400 {
				now = now.Add(time.Second)
				if step < 300 && random.IntN(3) == 0 {
					change(t, book, random)
				}
				messages, _ := mirror.next(book.View(), now)
				for _, d := range messages {
					if mirror.busy[d.item] {
						t.Fatalf("two messages about %v under way", d.item)
					}
					mirror.launch(next, d)
					air = append(air, flying{next, d})
					next++
				}
				if len(mirror.flying) > maxFlying {
					t.Fatalf("%d messages under way", len(mirror.flying))
				}
				for len(air) > 0 && random.IntN(3) > 0 {
					i := random.IntN(len(air))
					f, ok := mirror.land(air[i].id)
					if !ok {
						t.Fatal("a message landed twice")
					}
					if step < 300 && random.IntN(5) == 0 {
						mirror.later[f.item] = now.Add(5 * time.Second)
					} else {
						relay.take(t, air[i].message)
						mirror.delivered(f)
					}
					air = slices.Delete(air, i, i+1)
				}
			}
			facts, problems := map[ledger.Key]string{}, map[ledger.Key]string{}
			for key, held := range book.View().Facts {
				facts[key] = string(held.Body)
			}
			for key, p := range book.View().Problems {
				problems[key] = p.Detail
			}
			if !maps.Equal(relay.facts, facts) || !maps.Equal(relay.problems, problems) {
				t.Errorf("relay has %v and %v, probe %v and %v", relay.facts, relay.problems, facts, problems)
			}
			if messages, _ := mirror.next(book.View(), now); len(messages) > 0 || mirror.bytes != 0 || len(mirror.flying) > 0 {
				t.Errorf("at rest: %d messages to send, %d under way of %d bytes", len(messages), len(mirror.flying), mirror.bytes)
			}
		})
	}
}

func fact(t *testing.T, instance string, n int) discovery.Fact {
	t.Helper()
	f, err := discovery.NewFact(modelKind, instance, map[string]int{"n": n})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// change records a random collection.
func change(t *testing.T, book *ledger.Ledger, random *rand.Rand) {
	t.Helper()
	var facts []discovery.Fact
	for i := range 6 {
		if random.IntN(2) == 0 {
			facts = append(facts, fact(t, fmt.Sprint(i), random.IntN(3)))
		}
	}
	var err error
	switch random.IntN(5) {
	case 0:
		err = &discovery.Degraded{Needs: discovery.NetRaw, What: fmt.Sprint(random.IntN(3))}
	case 1:
		err = errors.New("failed")
	}
	book.Record(modelKind, facts, err, modelStart)
}

// A large fact flies alone; it does not hold up small ones for ever.
func TestMirrorBoundsWhatIsUnderWay(t *testing.T) {
	book, mirror := ledger.New(), newMirror()
	var facts []discovery.Fact
	for i := range 10 {
		f, err := discovery.NewFact(modelKind, fmt.Sprint(i), map[string]string{"t": strings.Repeat("x", 300<<10)})
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, f)
	}
	book.Record(modelKind, facts, nil, modelStart)
	mirror.assume(&wire.Digests{Kinds: []string{"m"}}, nil)
	for id := range uint32(10) {
		messages, _ := mirror.next(book.View(), modelStart)
		if len(messages) != 1 {
			t.Fatalf("%d messages of 300 kB at once", len(messages))
		}
		mirror.launch(id, messages[0])
		if more, _ := mirror.next(book.View(), modelStart); len(more) != 0 {
			t.Fatalf("%d more", len(more))
		}
		f, _ := mirror.land(id)
		mirror.delivered(f)
	}
	if sent := mirror.count(book.View()); sent != 10 {
		t.Errorf("%d sent", sent)
	}
}
