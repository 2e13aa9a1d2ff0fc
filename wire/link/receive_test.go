package link_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/link"
	"assimilation/wire/session"
)

// encodedFact is an encoded message of exactly size bytes.
func encodedFact(t testing.TB, size int) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(size)))
	for body := size - 60; body > size-120; body-- {
		b, err := wire.Marshal(fact(rng, "i", body))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == size {
			return b
		}
	}
	t.Fatalf("no fact has %d bytes", size)
	return nil
}

// chunks are all DATA frames of a message.
func chunks(id uint32, encoded []byte) [][]byte {
	var frames [][]byte
	for at := 0; at < len(encoded); at += wire.ChunkSize {
		frames = append(frames, dataFrame(id, uint32(len(encoded)), uint32(at), encoded[at:min(len(encoded), at+wire.ChunkSize)]))
	}
	return frames
}

func goodbye(t testing.TB) []byte {
	t.Helper()
	b, err := wire.Marshal(&wire.Goodbye{Cause: "signal", Time: 1})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVerdictIsSentOnceAndAgainOnRequest(t *testing.T) {
	for _, c := range []struct {
		name    string
		verdict func(*link.Link)
		want    ack
	}{
		{"done", func(l *link.Link) { l.Done(1) }, ack{id: 1, status: 1}},
		{"refused", func(l *link.Link) { l.Refuse(1, wire.UsedUp) }, ack{id: 1, status: 2, reason: wire.UsedUp, through: uint32(len(goodbye(t)))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScripted(t)
			frame := chunks(1, goodbye(t))[0]
			events := s.send(frame)
			want := []link.Event{link.Received{ID: 1, Message: &wire.Goodbye{Cause: "signal", Time: 1}}}
			if !reflect.DeepEqual(events, want) {
				t.Fatalf("events %+v", events)
			}
			if got := s.poll(); len(got.acks) > 0 {
				t.Fatalf("acknowledged before the verdict: %+v", got.acks)
			}
			c.verdict(s.link)
			if got := s.poll(); !reflect.DeepEqual(got.acks, []ack{c.want}) {
				t.Fatalf("acks %+v", got.acks)
			}
			if got := s.pollAfter(time.Hour); len(got.acks) > 0 {
				t.Fatalf("repeated by itself: %+v", got.acks)
			}
			for name, again := range map[string][]byte{
				"chunk": frame,
				"query": dataFrame(1, uint32(len(goodbye(t))), 0, nil),
			} {
				if events := s.send(again); len(events) > 0 {
					t.Fatalf("%s: received twice: %+v", name, events)
				}
				if got := s.poll(); !reflect.DeepEqual(got.acks, []ack{c.want}) {
					t.Fatalf("%s: acks %+v", name, got.acks)
				}
			}
			c.verdict(s.link) // a second verdict changes nothing
			if got := s.poll(); len(got.acks) > 0 || s.link.Stats().Held != 0 {
				t.Fatalf("acks %+v, held %d", got.acks, s.link.Stats().Held)
			}
		})
	}
}

func TestArrivalIsAcknowledgedWithinAckDelay(t *testing.T) {
	s := newScripted(t)
	s.send(chunks(1, goodbye(t))...)
	if _, wake := s.link.Poll(s.now); !wake.Equal(s.now.Add(wire.AckDelay)) {
		t.Errorf("wakes at %s", wake)
	}
	got := s.pollAfter(wire.AckDelay)
	if want := []ack{{id: 1, through: uint32(len(goodbye(t)))}}; !reflect.DeepEqual(got.acks, want) {
		t.Errorf("acks %+v", got.acks)
	}
	s.link.Done(1)
	if got := s.poll(); !reflect.DeepEqual(got.acks, []ack{{id: 1, status: 1}}) {
		t.Errorf("final acks %+v", got.acks)
	}
}

func TestGapsAreToldAtOnce(t *testing.T) {
	s := newScripted(t)
	const c = wire.ChunkSize
	encoded := encodedFact(t, 6*c+100)
	frames := chunks(1, encoded)
	s.send(frames[0])
	if got := s.poll(); len(got.acks) > 0 {
		t.Fatalf("acks %+v", got.acks)
	}
	s.send(frames[2])
	s.send(frames[3])
	s.send(frames[6])
	want := []ack{{id: 1, through: c, ranges: []uint32{2 * c, 4 * c, 6 * c, 6*c + 100}}}
	if got := s.poll(); !reflect.DeepEqual(got.acks, want) {
		t.Fatalf("acks %+v, want %+v", got.acks, want)
	}
	s.send(frames[1])
	s.send(frames[5])
	events := s.send(frames[4])
	r, ok := events[0].(link.Received)
	if !ok {
		t.Fatalf("events %+v", events)
	}
	if again, err := wire.Marshal(r.Message); err != nil || !bytes.Equal(again, encoded) {
		t.Errorf("arrived damaged: %v", err)
	}
}

// TestBadChunksRefuseTheMessage: a peer that breaks the rules loses the
// message, is counted, and nothing is kept.
func TestBadChunksRefuseTheMessage(t *testing.T) {
	const c = wire.ChunkSize
	full := make([]byte, c)
	for _, v := range []struct {
		name   string
		frames [][]byte
		reason wire.Reason
		counts uint32 // payload bytes in the refusal
	}{
		{"total over MaxMessage", [][]byte{dataFrame(1, wire.MaxMessage+1, 0, full)}, wire.TooLarge, 0},
		{"total of 4 GiB", [][]byte{dataFrame(1, 1<<32-1, 0, full)}, wire.TooLarge, 0},
		{"off the grid", [][]byte{dataFrame(1, 5*c, 100, full)}, wire.Malformed, 0},
		{"short in the middle", [][]byte{dataFrame(1, 5*c, c, full[:c-1])}, wire.Malformed, 0},
		{"short at the end", [][]byte{dataFrame(1, 2*c-1, c, full[:c-2])}, wire.Malformed, 0},
		{"another total", [][]byte{dataFrame(1, 5*c, 0, full), dataFrame(1, 6*c, c, full)}, wire.Malformed, c},
		{"another total, small", [][]byte{dataFrame(1, 5*c, 0, full), dataFrame(1, 10, 0, full[:10])}, wire.Malformed, c},
	} {
		t.Run(v.name, func(t *testing.T) {
			s := newScripted(t)
			for _, f := range v.frames {
				if events := s.send(f); len(events) > 0 {
					t.Fatalf("events %+v", events)
				}
			}
			want := []ack{{id: 1, status: 2, reason: v.reason, through: v.counts}}
			if got := s.poll(); !reflect.DeepEqual(got.acks, want) {
				t.Errorf("acks %+v, want %+v", got.acks, want)
			}
			if st := s.link.Stats(); st.Held != 0 || st.RefusedMessages != 1 {
				t.Errorf("stats %+v", st)
			}
			if events := s.send(chunks(2, goodbye(t))...); len(events) != 1 {
				t.Errorf("the next message: %+v", events)
			}
		})
	}
}

func TestUndecodableMessageIsRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		encoded []byte
		reason  wire.Reason
	}{
		{"nonsense", []byte{7, 0, 1, 2, 3}, wire.Malformed},
		{"unknown type", []byte{99, 0, 0xa0}, wire.Unsupported},
		{"one byte", []byte{7}, wire.Malformed},
	} {
		s := newScripted(t)
		events := s.send(chunks(1, c.encoded)...)
		if m, ok := events[0].(link.Malformed); !ok || m.ID != 1 || m.Reason != c.reason || m.Err == nil {
			t.Errorf("%s: events %+v", c.name, events)
		}
		want := []ack{{id: 1, status: 2, reason: c.reason, through: uint32(len(c.encoded))}}
		if got := s.poll(); !reflect.DeepEqual(got.acks, want) {
			t.Errorf("%s: acks %+v", c.name, got.acks)
		}
	}
}

func TestBrokenFramesDropTheDatagramWhole(t *testing.T) {
	whole := chunks(1, goodbye(t))[0]
	for name, frame := range map[string][]byte{
		"data cut in the header":  dataFrame(2, 10, 0, make([]byte, 10))[:14],
		"data cut in the payload": dataFrame(2, 10, 0, make([]byte, 10))[:20],
		"data of message 0":       dataFrame(0, 10, 0, make([]byte, 10)),
		"data of nothing":         dataFrame(2, 0, 0, nil),
		"data beyond its total":   dataFrame(2, 10, 1, make([]byte, 10)),
		"data offset overflows":   dataFrame(2, 10, 1<<32-1, make([]byte, 10)),
		"ack cut":                 ackFrame(1, 0, 0, 0)[:12],
		"ack of message 0":        ackFrame(0, 0, 0, 0),
		"ack of status 3":         ackFrame(1, 3, 0, 0),
		"ack ranges cut":          ackFrame(1, 0, 0, 0, 5, 6)[:20],
		"ack range empty":         ackFrame(1, 0, 0, 0, 5, 5),
		"ack range backwards":     ackFrame(1, 0, 0, 0, 6, 5),
		"ack range not apart":     ackFrame(1, 0, 0, 5, 5, 6),
		"ack ranges descend":      ackFrame(1, 0, 0, 0, 8, 9, 5, 6),
		"ack of 33 ranges":        ackFrame(1, 0, 0, 0, ascending(33)...),
		"credit cut":              numberFrame(3, 1<<40)[:8],
		"echo cut":                numberFrame(4, 1)[:2],
	} {
		s := newScripted(t)
		events, err := s.trySend(whole, frame)
		if !errors.Is(err, link.ErrFrame) || len(events) > 0 || s.link.Stats().Held != 0 || s.link.Stats().BadFrames != 1 {
			t.Errorf("%s: %+v, %v, %+v", name, events, err, s.link.Stats())
		}
		if !s.link.LastHeard().Equal(epoch) {
			t.Errorf("%s: counts as a sign of life", name)
		}
	}
}

func ascending(n uint32) []uint32 {
	var all []uint32
	for i := range n {
		all = append(all, 10+4*i, 12+4*i)
	}
	return all
}

func TestUnknownFramesAndPadding(t *testing.T) {
	s := newScripted(t)
	whole, second := chunks(1, goodbye(t))[0], chunks(2, goodbye(t))[0]
	if events := s.send(whole, []byte{200, 1, 2}, second); len(events) != 1 || s.link.Stats().UnknownFrames != 1 {
		t.Errorf("unknown frame: %+v, %+v", events, s.link.Stats())
	}
	if events := s.send([]byte{0}, second); len(events) != 0 {
		t.Errorf("after padding: %+v", events)
	}
	if events := s.send(second, []byte{0, 0, 0}); len(events) != 1 {
		t.Errorf("before padding: %+v", events)
	}
}

func TestCreditIsEnforced(t *testing.T) {
	s := newScripted(t)
	full := make([]byte, wire.ChunkSize)
	sent, overran := 0, uint32(0)
	for i := uint32(0); overran == 0; i++ { // never polled: nothing is granted
		s.send(dataFrame(1, wire.MaxMessage, i*wire.ChunkSize, full))
		if s.link.Stats().Overruns > 0 {
			overran = i
			break
		}
		sent += wire.ChunkSize
	}
	if sent > wire.InitialCredit || sent+wire.ChunkSize <= wire.InitialCredit {
		t.Errorf("took %d bytes before refusing", sent)
	}
	got := s.poll()
	want := []ack{{id: 1, status: 2, reason: wire.Busy, through: uint32(sent)}}
	if !reflect.DeepEqual(got.acks, want) || s.link.Stats().Held != 0 {
		t.Errorf("acks %+v, held %d", got.acks, s.link.Stats().Held)
	}
	if len(got.credits) != 1 || got.credits[0] != uint64(sent)+wire.CreditWindow {
		t.Errorf("credits %v", got.credits)
	}
}

func TestQueryIsAnsweredWithAckAndCredit(t *testing.T) {
	s := newScripted(t)
	s.send(dataFrame(7, 5000, 0, nil))
	got := s.poll()
	if !reflect.DeepEqual(got.acks, []ack{{id: 7}}) || len(got.credits) != 1 || got.credits[0] != wire.CreditWindow {
		t.Errorf("acks %+v, credits %v", got.acks, got.credits)
	}
	if s.link.Stats().Held != 0 {
		t.Error("a query is held")
	}
}

func TestIncompleteMessagesAreBounded(t *testing.T) {
	s := newScripted(t)
	full := make([]byte, wire.ChunkSize)
	for id := uint32(1); id <= wire.MaxIncomplete+10; id++ {
		s.send(dataFrame(id, 2*wire.ChunkSize, 0, full))
		s.poll() // grants
	}
	st := s.link.Stats()
	if st.Held != wire.MaxIncomplete*wire.ChunkSize || st.Overruns != 10 || st.RefusedMessages != 10 {
		t.Errorf("%+v", st)
	}
}

func TestIDsAheadOfTheWindowAreDropped(t *testing.T) {
	s := newScripted(t)
	if events := s.send(chunks(wire.IDWindow+1, goodbye(t))...); len(events) != 0 || s.link.Stats().Overruns != 1 {
		t.Errorf("%+v, %+v", events, s.link.Stats())
	}
	if events := s.send(chunks(wire.IDWindow, goodbye(t))...); len(events) != 1 {
		t.Errorf("last id of the window: %+v", events)
	}
	s.send(chunks(1, goodbye(t))...)
	s.link.Done(1)
	if events := s.send(chunks(wire.IDWindow+1, goodbye(t))...); len(events) != 1 {
		t.Errorf("after the window moved: %+v", events)
	}
}

func TestVerdictsAreForgottenAfterTheWindow(t *testing.T) {
	s := newScripted(t)
	const total = 3 * wire.IDWindow
	for id := uint32(1); id <= total; id++ {
		if events := s.send(chunks(id, goodbye(t))...); len(events) != 1 {
			t.Fatalf("message %d: %+v", id, events)
		}
		s.link.Refuse(id, wire.NotDurable)
		s.poll()
	}
	for _, c := range []struct {
		id       uint32
		repeated bool
	}{{1, false}, {total - wire.IDWindow, false}, {total - wire.IDWindow + 1, true}, {total, true}} {
		if events := s.send(chunks(c.id, goodbye(t))...); len(events) != 0 {
			t.Fatalf("message %d received twice", c.id)
		}
		got := s.poll()
		if (len(got.acks) == 1 && got.acks[0].reason == wire.NotDurable) != c.repeated {
			t.Errorf("message %d: acks %+v", c.id, got.acks)
		}
	}
}

// TestHostilePeerCannotExceedTheBound sends random chunks of random messages,
// as credit allows, and never completes any on purpose.
func TestHostilePeerCannotExceedTheBound(t *testing.T) {
	s := newScripted(t)
	rng := rand.New(rand.NewPCG(9, 9))
	full := make([]byte, wire.ChunkSize)
	highest := 0
	for range 30_000 {
		total := uint32(wire.MaxMessage)
		offset := rng.Uint32N(wire.MaxMessage/wire.ChunkSize) * wire.ChunkSize
		s.send(dataFrame(1+rng.Uint32N(100), total, offset, full))
		if rng.IntN(4) == 0 {
			s.poll()
		}
		highest = max(highest, s.link.Stats().Held)
	}
	if highest > wire.MaxHeld {
		t.Errorf("held %d bytes, bound %d", highest, wire.MaxHeld)
	}
	t.Logf("held at most %d bytes, %+v", highest, s.link.Stats())
}

func TestDecompressedMessagesAreBounded(t *testing.T) {
	s := newScripted(t)
	body := bytes.Repeat([]byte(`{"a":1},`), wire.MaxBody/8)
	encoded, err := wire.Marshal(&wire.FactPut{Digest: wire.Digest{Kind: "a", Hash: make([]byte, 32), Version: 1}, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	received := 0
	for id := uint32(1); id <= 8; id++ {
		for _, f := range chunks(id, encoded) {
			received += len(s.send(f))
			s.poll()
		}
	}
	if received != 4 || s.link.Stats().Overruns != 4 {
		t.Errorf("%d messages of 8 MiB received, %+v", received, s.link.Stats())
	}
	s.link.Done(1)
	for _, f := range chunks(9, encoded) {
		received += len(s.send(f))
		s.poll()
	}
	if received != 5 {
		t.Error("no room after a verdict")
	}
}

func TestForeignDatagramsChangeNothing(t *testing.T) {
	n := newNetwork(t, 3)
	a, b := n.peers[0], n.peers[1]
	mustSend(t, a.Link, &wire.Goodbye{Cause: "signal"})
	datagrams, _ := a.Poll(epoch)
	if len(datagrams) != 1 {
		t.Fatalf("%d datagrams", len(datagrams))
	}
	genuine := datagrams[0]
	later := epoch.Add(time.Second)
	for at := range genuine {
		damaged := slices.Clone(genuine)
		damaged[at] ^= 1
		if events, err := b.Receive(later, damaged); err == nil || len(events) > 0 {
			t.Fatalf("byte %d damaged: %+v, %v", at, events, err)
		}
	}
	// The same two keys made another session before: its datagrams are others.
	_, other := sessions(t, 4)
	o := link.New(other, epoch, func() float64 { return 0 })
	if _, err := o.Receive(later, genuine); !errors.Is(err, session.ErrAuth) {
		t.Errorf("another session: %v", err)
	}
	if !b.LastHeard().Equal(epoch) {
		t.Error("a damaged datagram counts as a sign of life")
	}
	if datagrams, wake := b.Poll(later); len(datagrams) > 0 || !wake.IsZero() {
		t.Errorf("damaged datagrams made %d answers, wake %s", len(datagrams), wake)
	}
	if events, err := b.Receive(later, genuine); err != nil || len(events) != 1 {
		t.Errorf("the genuine one: %+v, %v", events, err)
	}
	if _, err := b.Receive(later, genuine); !errors.Is(err, session.ErrReplay) {
		t.Errorf("the genuine one again: %v", err)
	}
	st := b.Stats()
	if st.NotAuthentic+st.NotOurs != uint64(len(genuine)) || st.Replayed != 1 || st.Received != 1 {
		t.Errorf("%+v", st)
	}
}
