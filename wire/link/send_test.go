package link_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/link"
)

// queue hands an encoded message to the link under test.
func (s *scripted) queue(encoded []byte) uint32 {
	s.t.Helper()
	id, err := s.link.SendEncoded(s.now, encoded)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func TestDeliveredComesOnlyFromDone(t *testing.T) {
	s := newScripted(t)
	size := uint32(len(goodbye(t)))
	id := s.queue(goodbye(t))
	if got := s.poll(); !reflect.DeepEqual(got.data, map[uint32][]uint32{id: {0}}) {
		t.Fatalf("sent %+v", got.data)
	}
	if events := s.send(ackFrame(id, 0, 0, size)); len(events) != 0 || s.link.Pending() != 1 {
		t.Fatalf("arrival: %+v, pending %d", events, s.link.Pending())
	}
	if got := s.poll(); len(got.data) != 0 {
		t.Fatalf("sent again after its arrival: %+v", got.data)
	}
	if events := s.send(ackFrame(id, 1, 0, 0)); !reflect.DeepEqual(events, []link.Event{link.Delivered{ID: id}}) {
		t.Fatalf("done: %+v", events)
	}
	if events := s.send(ackFrame(id, 1, 0, 0)); len(events) != 0 || s.link.Pending() != 0 {
		t.Fatalf("done again: %+v, pending %d", events, s.link.Pending())
	}
	if datagrams, wake := s.link.Poll(s.now.Add(time.Hour)); len(datagrams) != 0 || !wake.IsZero() {
		t.Errorf("at rest: %d datagrams, wake %s", len(datagrams), wake)
	}
}

func TestLostFinalAckIsRepeated(t *testing.T) {
	n := newNetwork(t, 8)
	a, b := n.peers[0], n.peers[1]
	received, delivered, dropped := 0, 0, 0
	b.handle = func(_ time.Time, e link.Event) {
		received++
		b.Done(e.(link.Received).ID)
	}
	a.handle = func(_ time.Time, e link.Event) { delivered++ }
	n.drop = func(from int, _ []byte) bool {
		if from == 1 && dropped < 3 {
			dropped++
			return true
		}
		return false
	}
	mustSend(t, a.Link, &wire.Goodbye{Cause: "signal"})
	if !n.run(time.Minute, func() bool { return delivered == 1 }) || received != 1 || dropped != 3 {
		t.Errorf("received %d, delivered %d, dropped %d", received, delivered, dropped)
	}
}

func TestOverdueVerdictIsAskedForWithBackoff(t *testing.T) {
	s := newScripted(t)
	id := s.queue(goodbye(t))
	s.poll()
	s.send(ackFrame(id, 0, 0, uint32(len(goodbye(t)))))
	var waits []time.Duration
	for range 7 {
		_, wake := s.link.Poll(s.now)
		waits = append(waits, wake.Sub(s.now))
		if got := s.pollAfter(wake.Sub(s.now)); !reflect.DeepEqual(got.queries, []uint32{id}) || len(got.data) > 0 {
			t.Fatalf("sent %+v", got)
		}
	}
	want := []time.Duration{500, 1000, 2000, 4000, 8000, 10_000, 10_000}
	for i := range want {
		want[i] *= time.Millisecond
	}
	if !slices.Equal(waits, want) {
		t.Errorf("waits %v", waits)
	}
}

func TestSilenceIsMetWithBackoff(t *testing.T) {
	s := newScripted(t) // its random() is 0.5: an eighth off every wait but the first
	id := s.queue(goodbye(t))
	s.poll()
	var waits []time.Duration
	for range 8 {
		_, wake := s.link.Poll(s.now)
		waits = append(waits, wake.Sub(s.now))
		if got := s.pollAfter(wake.Sub(s.now)); !reflect.DeepEqual(got.data, map[uint32][]uint32{id: {0}}) {
			t.Fatalf("sent %+v", got)
		}
	}
	want := []time.Duration{200, 350, 700, 1400, 2800, 5600, 8750, 8750}
	for i := range want {
		want[i] *= time.Millisecond
	}
	if !slices.Equal(waits, want) {
		t.Errorf("waits %v", waits)
	}
	if s.link.Stats().Retransmitted != 8 {
		t.Errorf("%+v", s.link.Stats())
	}
}

func TestOnlyMissingChunksAreSentAgain(t *testing.T) {
	s := newScripted(t)
	const c = wire.ChunkSize
	s.send(numberFrame(3, 1<<20))
	id := s.queue(encodedFact(t, 10*c))
	if got := s.poll(); len(got.data[id]) != 10 {
		t.Fatalf("sent %v", got.data)
	}
	s.now = s.now.Add(time.Millisecond)
	s.send(ackFrame(id, 0, 0, 2*c, 3*c, 5*c, 6*c, 10*c))
	if got := s.poll(); !slices.Equal(got.data[id], []uint32{2 * c, 5 * c}) {
		t.Fatalf("sent again %v", got.data)
	}
	if got := s.pollAfter(time.Millisecond); len(got.data) > 0 {
		t.Fatalf("sent a third time %v", got.data)
	}
	s.send(ackFrame(id, 0, 0, 5*c, 6*c, 10*c))
	if got := s.pollAfter(time.Second); !slices.Equal(got.data[id], []uint32{5 * c}) {
		t.Fatalf("after the time-out %v", got.data)
	}
}

func TestRefusedTakesUnseenBytesBack(t *testing.T) {
	s := newScripted(t)
	const c = wire.ChunkSize
	first := s.queue(encodedFact(t, 60*c)) // more than the initial credit
	sent := s.drain(first)
	if sent != wire.InitialCredit/c {
		t.Fatalf("%d chunks sent on the initial credit", sent)
	}
	if events := s.send(ackFrame(first, 2, wire.TooLarge, 2*c)); !reflect.DeepEqual(events, []link.Event{link.Refused{ID: first, Reason: wire.TooLarge}}) {
		t.Fatalf("%+v", events)
	}
	second := s.queue(encodedFact(t, 60*c))
	if sent := s.drain(second); sent != wire.InitialCredit/c-2 {
		t.Errorf("%d chunks sent on the credit of %d that the peer gave back", sent, wire.InitialCredit/c-2)
	}
	if s.link.Pending() != 1 {
		t.Errorf("pending %d", s.link.Pending())
	}
}

// drain acknowledges the arrival of everything sent until the link stops, and
// returns the number of distinct chunks of the message.
func (s *scripted) drain(id uint32) int {
	s.t.Helper()
	offsets := map[uint32]bool{}
	for {
		s.now = s.now.Add(time.Millisecond)
		got := s.poll()
		if len(got.data) == 0 {
			return len(offsets)
		}
		for _, o := range got.data[id] {
			offsets[o] = true
		}
		s.send(ackFrame(id, 0, 0, uint32(len(offsets)*wire.ChunkSize)))
	}
}

func TestWithoutCreditTheSenderAsks(t *testing.T) {
	s := newScripted(t)
	const c = wire.ChunkSize
	id := s.queue(encodedFact(t, 60*c))
	s.drain(id)
	asked := 0
	for range 3 {
		_, wake := s.link.Poll(s.now)
		if wake.IsZero() {
			t.Fatal("sleeps for good without credit")
		}
		got := s.pollAfter(wake.Sub(s.now))
		asked += len(got.queries)
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	s.send(numberFrame(3, 57*c))
	if sent := s.drain(id); sent != 57-wire.InitialCredit/c {
		t.Errorf("%d more chunks sent on credit for %d", sent, 57-wire.InitialCredit/c)
	}
	s.send(numberFrame(3, 10*c)) // an older one, late
	s.send(numberFrame(3, 60*c))
	if sent := s.drain(id); sent != 3 {
		t.Errorf("%d last chunks sent", sent)
	}
}

func TestSmallMessagesOvertakeLargeOnes(t *testing.T) {
	s := newScripted(t)
	s.send(numberFrame(3, 1<<20))
	large := s.queue(encodedFact(t, 40*wire.ChunkSize))
	other := s.queue(encodedFact(t, 40*wire.ChunkSize))
	s.poll()
	small := s.queue(goodbye(t))
	s.now = s.now.Add(time.Millisecond)
	s.send(ackFrame(large, 0, 0, wire.ChunkSize))
	got := s.poll()
	if len(got.data[small]) != 1 || len(got.data[other]) != 0 {
		t.Errorf("sent %v", got.data)
	}
}

func TestSenderKeepsTheWindows(t *testing.T) {
	s := newScripted(t)
	s.send(numberFrame(3, 1<<40))
	highest := uint32(0)
	acknowledge := func(arrived bool) {
		for {
			s.now = s.now.Add(time.Millisecond)
			got := s.poll()
			if len(got.data) == 0 {
				return
			}
			for id := range got.data {
				highest = max(highest, id)
				if id > 1 {
					s.send(ackFrame(id, 1, 0, 0))
				} else if arrived {
					s.send(ackFrame(id, 0, 0, uint32(len(goodbye(t)))))
				}
			}
		}
	}
	for range 2 * wire.IDWindow {
		s.queue(goodbye(t))
	}
	acknowledge(true) // all but the first get their verdict
	if highest != wire.IDWindow || s.link.Pending() != wire.IDWindow+1 {
		t.Fatalf("sent ids up to %d, pending %d", highest, s.link.Pending())
	}
	s.send(ackFrame(1, 1, 0, 0))
	acknowledge(true)
	if highest != 2*wire.IDWindow || s.link.Pending() != 0 {
		t.Errorf("sent ids up to %d, pending %d", highest, s.link.Pending())
	}
}

func TestSenderBoundsIncompleteMessages(t *testing.T) {
	s := newScripted(t)
	s.send(numberFrame(3, 1<<40))
	two := encodedFact(t, wire.ChunkSize+200)
	for range 2 * wire.MaxIncomplete {
		s.queue(two)
	}
	begun := map[uint32]bool{}
	for {
		s.now = s.now.Add(time.Millisecond)
		got := s.poll()
		if len(got.data) == 0 {
			break
		}
		for id := range got.data { // the second chunk never arrives
			begun[id] = true
			s.send(ackFrame(id, 0, 0, wire.ChunkSize))
		}
		if len(begun) > wire.MaxIncomplete {
			t.Fatalf("%d messages begun", len(begun))
		}
	}
	if len(begun) == 0 {
		t.Fatal("nothing was sent")
	}
}

func TestFalseAcksAreIgnored(t *testing.T) {
	const c = wire.ChunkSize
	for name, frame := range map[string][]byte{
		"done before all was sent":      ackFrame(1, 1, 0, 0),
		"arrival beyond what was sent":  ackFrame(1, 0, 0, 60*c),
		"range beyond what was sent":    ackFrame(1, 0, 0, 0, 40*c, 100*c),
		"refusal of more than was sent": ackFrame(1, 2, wire.Busy, 60*c),
		"of no message":                 ackFrame(2, 1, 0, 0),
		"of a message not queued":       ackFrame(1<<32-1, 0, 0, 5),
	} {
		s := newScripted(t)
		s.queue(encodedFact(t, 60*c))
		s.poll()
		before := s.link.Stats()
		events := s.send(frame)
		after := s.link.Stats()
		if len(events) != 0 || s.link.Pending() != 1 || after.InFlight != before.InFlight {
			t.Errorf("%s: %+v, pending %d", name, events, s.link.Pending())
		}
		if after.BadAcks+after.Duplicates != 1 {
			t.Errorf("%s: not counted: %+v", name, after)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	s := newScripted(t)
	largest := make([]byte, wire.MaxMessage)
	if _, err := s.link.SendEncoded(s.now, make([]byte, wire.MaxMessage+1)); !errors.Is(err, link.ErrTooLarge) {
		t.Errorf("over MaxMessage: %v", err)
	}
	s.queue(largest)
	if _, err := s.link.SendEncoded(s.now, largest); !errors.Is(err, link.ErrQueueFull) {
		t.Errorf("a second of the largest: %v", err)
	}
	s.poll()
	s.send(ackFrame(1, 2, wire.Busy, 0))
	s.queue(largest)
	many := newScripted(t)
	for n := 0; ; n++ {
		if _, err := many.link.Send(many.now, &wire.Goodbye{}); errors.Is(err, link.ErrQueueFull) {
			break
		}
		if n > 100_000 {
			t.Fatal("tiny messages are unbounded")
		}
	}
	if _, err := s.link.Send(s.now, &wire.Enrolled{}); wire.ReasonOf(err) != wire.Malformed {
		t.Errorf("an invalid message: %v", err)
	}
	tooMany := &wire.Need{Facts: make([]wire.Digest, wire.MaxFacts+1)}
	if _, err := s.link.Send(s.now, tooMany); !errors.Is(err, link.ErrTooLarge) {
		t.Errorf("too many digests: %v", err)
	}
}

func TestEcho(t *testing.T) {
	n := newNetwork(t, 2)
	var replies []link.Event
	n.peers[0].handle = func(_ time.Time, e link.Event) { replies = append(replies, e) }
	n.peers[0].Echo(n.now)
	n.run(time.Minute, func() bool { return len(replies) > 0 })
	if !reflect.DeepEqual(replies, []link.Event{link.EchoReply{RTT: 10 * time.Millisecond}}) {
		t.Errorf("%+v", replies)
	}
	for i, p := range n.peers {
		if p.LastHeard().Before(epoch.Add(5 * time.Millisecond)) {
			t.Errorf("peer %d heard last at %s", i, p.LastHeard())
		}
	}
	s := newScripted(t)
	for range 1000 {
		s.link.Echo(s.now)
	}
	if got := s.poll(); len(got.echoes) == 0 || len(got.echoes) > 10 {
		t.Errorf("%d echoes at once", len(got.echoes))
	}
	for _, nonce := range []uint64{0, 999, 1 << 60} {
		if events := s.send(numberFrame(5, nonce)); len(events) != 0 {
			t.Errorf("reply to nothing: %+v", events)
		}
	}
	for i := range uint64(100) {
		s.send(numberFrame(4, i))
	}
	if got := s.poll(); len(got.replies) > 10 {
		t.Errorf("%d replies at once", len(got.replies))
	}
}

func TestExpired(t *testing.T) {
	s := newScripted(t)
	if s.link.Expired(epoch.Add(wire.RekeyAfterTime - 1)) {
		t.Error("early")
	}
	if !s.link.Expired(epoch.Add(wire.RekeyAfterTime)) {
		t.Error("not at all")
	}
}

// TestBothWaysAtOnce lets both ends upload through the bad network.
func TestBothWaysAtOnce(t *testing.T) {
	n := newNetwork(t, 6)
	n.loss, n.spread, n.duplicate = 0.1, 10*time.Millisecond, 0.05
	const count = 300
	delivered := [2]int{}
	received := [2]map[uint32]bool{{}, {}}
	for i, p := range n.peers {
		p.handle = func(_ time.Time, e link.Event) {
			switch e := e.(type) {
			case link.Received:
				if received[i][e.ID] {
					t.Fatalf("message %d received twice", e.ID)
				}
				received[i][e.ID] = true
				p.Done(e.ID)
			case link.Delivered:
				delivered[i]++
			default:
				t.Fatalf("%#v", e)
			}
		}
		for k := range count {
			mustSend(t, p.Link, fact(n.rng, "f", 10+k*37%9000))
		}
	}
	if !n.run(time.Hour, func() bool { return delivered == [2]int{count, count} }) {
		t.Errorf("delivered %v", delivered)
	}
}
