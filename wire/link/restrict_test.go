package link_test

import (
	"testing"

	"github.com/klauspost/compress/zstd"

	"assimilation/wire"
	"assimilation/wire/link"
)

// bomb is a message of a few hundred bytes that expands to size.
func bomb(t testing.TB, size int) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(make([]byte, size), []byte{byte(wire.TypeEnrol), 1})
}

func TestARestrictedPeerMakesNobodyExpand(t *testing.T) {
	for _, c := range []struct {
		name    string
		encoded []byte
		want    wire.Reason
		decoded uint64 // at most
	}{
		{"a bomb", bomb(t, wire.MaxMessage-2), wire.NotEnrolled, wire.MaxSmall},
		{"a large message", encodedFact(t, wire.MaxSmall+1), wire.NotEnrolled, 0},
		{"a small one", goodbye(t), wire.Accepted, wire.MaxSmall},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScripted(t)
			s.link.Restrict(wire.NotEnrolled)
			for _, frame := range chunks(1, c.encoded) {
				for _, e := range s.send(frame) {
					if r, ok := e.(link.Received); ok {
						s.link.Done(r.ID)
					}
				}
			}
			final := s.poll().acks
			if len(final) != 1 || final[0].reason != c.want || final[0].status == 0 {
				t.Errorf("acks %+v, want reason %v", final, c.want)
			}
			if stats := s.link.Stats(); stats.Decoded > c.decoded || stats.Held != 0 {
				t.Errorf("expanded %d bytes, holds %d", stats.Decoded, stats.Held)
			}
		})
	}
}

func TestARestrictionLeavesWhatIsOpenAlone(t *testing.T) {
	s := newScripted(t)
	frames := chunks(1, encodedFact(t, wire.MaxSmall+1))
	if events := sendEach(s, frames); len(events) != 1 {
		t.Fatalf("events %+v", events)
	}
	s.link.Restrict(wire.Busy)
	s.send(frames[0])
	s.link.Done(1)
	if got := s.poll().acks; len(got) != 1 || got[0].status != 1 {
		t.Errorf("acks %+v", got)
	}
	s.link.Restrict(wire.Accepted)
	if events := sendEach(s, chunks(2, encodedFact(t, wire.MaxSmall+1))); len(events) != 1 {
		t.Errorf("after the restriction: events %+v", events)
	}
}

// sendEach sends every frame in a datagram of its own, and lets the link answer.
func sendEach(s *scripted, frames [][]byte) (events []link.Event) {
	for _, frame := range frames {
		events = append(events, s.send(frame)...)
		s.poll()
	}
	return events
}
