package link_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/link"
)

// fact is a message of about size bytes that no compressor shrinks.
func fact(rng *rand.Rand, name string, size int) *wire.FactPut {
	body := make([]byte, max(1, size))
	for i := range body {
		body[i] = byte(rng.Uint32())
	}
	return &wire.FactPut{
		Digest:     wire.Digest{Kind: "test", Instance: name, Hash: make([]byte, wire.HashSize), Version: 1},
		Body:       body,
		ObservedAt: epoch.UnixMilli(),
	}
}

func mustSend(t *testing.T, l *link.Link, m wire.Message) uint32 {
	t.Helper()
	id, err := l.Send(epoch, m)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAllMessagesArriveOnceOverABadNetwork(t *testing.T) {
	for _, c := range []struct {
		name            string
		loss, duplicate float64
		spread          time.Duration
		count           int
	}{
		{"clean", 0, 0, 0, 1000},
		{"lossy", 0.05, 0, 2 * time.Millisecond, 1000},
		{"awful", 0.20, 0.10, 20 * time.Millisecond, 5000},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t, 1)
			n.loss, n.duplicate, n.spread = c.loss, c.duplicate, c.spread
			rng := rand.New(rand.NewPCG(2, 3))

			bodies := map[string][]byte{}
			waiting, names := make([][]byte, c.count), make([]string, c.count)
			for i := range waiting {
				size := 50 + int(rng.ExpFloat64()*700)
				switch {
				case i == c.count/3:
					size = wire.MaxBody
				case i%100 == 99:
					size = 100 << 10
				}
				f := fact(rng, fmt.Sprint("f", i), size)
				names[i], bodies[f.Instance] = f.Instance, f.Body
				var err error
				if waiting[i], err = wire.Marshal(f); err != nil {
					t.Fatal(err)
				}
			}
			sender, receiver := n.peers[0], n.peers[1]
			sent := map[uint32]string{}
			durable, delivered := map[string]bool{}, map[string]bool{}
			fill := func() {
				for len(waiting) > 0 {
					id, err := sender.SendEncoded(n.now, waiting[0])
					if errors.Is(err, link.ErrQueueFull) {
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					sent[id] = names[0]
					waiting, names = waiting[1:], names[1:]
				}
			}
			// The receiver commits in groups: verdicts come late, in bulk.
			var uncommitted []uint32
			receiver.handle = func(_ time.Time, e link.Event) {
				r, ok := e.(link.Received)
				if !ok {
					t.Fatalf("receiver got %#v", e)
				}
				f := r.Message.(*wire.FactPut)
				if durable[f.Instance] {
					t.Fatalf("%s arrived twice", f.Instance)
				}
				if !bytes.Equal(f.Body, bodies[f.Instance]) {
					t.Fatalf("%s arrived damaged", f.Instance)
				}
				durable[f.Instance] = true
				if uncommitted = append(uncommitted, r.ID); len(uncommitted) < 5 && len(durable) < c.count {
					return
				}
				for _, id := range uncommitted {
					receiver.Done(id)
				}
				uncommitted = nil
			}
			sender.handle = func(_ time.Time, e link.Event) {
				d, ok := e.(link.Delivered)
				if !ok {
					t.Fatalf("sender got %#v", e)
				}
				name := sent[d.ID]
				if !durable[name] || delivered[name] {
					t.Fatalf("%s delivered: durable %t, before %t", name, durable[name], delivered[name])
				}
				delivered[name] = true
				fill()
			}
			fill()
			over := n.run(time.Hour, func() bool {
				if h := receiver.Stats().Held; h > wire.MaxHeld {
					t.Fatalf("receiver holds %d bytes", h)
				}
				return len(delivered) == c.count && sender.Pending() == 0
			})
			if !over {
				t.Fatalf("after %s: %d of %d delivered, pending %d\nsender %+v\nreceiver %+v",
					n.now.Sub(epoch), len(delivered), c.count, sender.Pending(), sender.Stats(), receiver.Stats())
			}
			s, r := sender.Stats(), receiver.Stats()
			t.Logf("%s of virtual time, %d datagrams, %+v", n.now.Sub(epoch), n.sent, s)
			if s.InFlight != 0 || r.Held != 0 || r.Overruns != 0 || s.BadAcks != 0 || r.RefusedMessages != 0 {
				t.Errorf("left over: sender %+v receiver %+v", s, r)
			}
		})
	}
}
