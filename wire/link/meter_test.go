package link_test

import (
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/link"
)

const chunk = wire.ChunkSize

func TestAMeteredLinkGrantsWhatItsOwnerSays(t *testing.T) {
	s := newScripted(t)
	s.link.Meter()
	large := encodedFact(t, 20*chunk)
	frames := chunks(1, large)
	for i := range wire.InitialCredit / chunk {
		if events := s.send(frames[i]); len(events) > 0 {
			t.Fatalf("events %+v", events)
		}
	}
	if got := s.poll(); len(got.credits) > 0 {
		t.Errorf("granted %v by itself", got.credits)
	}
	s.send(dataFrame(2, 5000, 5000, nil)) // the peer asks for another message
	if got := s.poll(); len(got.credits) != 1 || got.credits[0] != wire.InitialCredit {
		t.Errorf("a question was answered by %v", got.credits)
	}
	want := link.Account{Promised: wire.InitialCredit, Coming: 0, Wanted: 20*chunk - wire.InitialCredit + 5000, Begun: 20*chunk - wire.InitialCredit}
	if got := s.link.Account(); got != want {
		t.Fatalf("account %+v, want %+v", got, want)
	}
	s.link.Grant(s.now, want.Wanted)
	if got := s.poll(); len(got.credits) != 1 || got.credits[0] != 20*chunk+5000 {
		t.Errorf("told %v", got.credits)
	}
	if got := s.link.Account(); got.Promised != 20*chunk+5000 || got.Wanted != 0 {
		t.Errorf("account %+v", got)
	}
	sendEach(s, frames[wire.InitialCredit/chunk:])
	if got := s.link.Account(); got.Open != 20*chunk || got.Promised != 20*chunk+5000 || got.Decoded == 0 {
		t.Errorf("account %+v", got)
	}
	s.link.Done(1)
	if got := s.link.Account(); got.Open != 0 || got.Promised != 5000 || got.Decoded != 0 {
		t.Errorf("account %+v", got)
	}
}

func TestALostGrantIsRepeated(t *testing.T) {
	s := newScripted(t)
	s.link.Meter()
	s.send(dataFrame(1, 5*chunk, 5*chunk, nil))
	s.poll()
	s.link.Grant(s.now, 5*chunk)
	told := 0
	for range 20 {
		told += len(s.poll().credits)
		_, wake := s.link.Poll(s.now)
		if wake.IsZero() {
			break
		}
		s.now = wake
	}
	if told != 5 {
		t.Errorf("a grant that brings nothing was told %d times", told)
	}
	if _, wake := s.link.Poll(s.now.Add(time.Hour)); !wake.IsZero() {
		t.Error("it goes on for ever")
	}
}

// A sender that has to stop says at once for what.
func TestASenderAsksForAllThatWaits(t *testing.T) {
	s := newScripted(t)
	for range 3 {
		s.queue(encodedFact(t, 10*chunk))
	}
	got := s.poll()
	if len(got.data[1]) != wire.InitialCredit/chunk || len(got.queries) != 2 {
		t.Errorf("sent %v and asked for %v", got.data, got.queries)
	}
	if again := s.poll(); len(again.queries) > 0 {
		t.Errorf("asked for %v at once again", again.queries)
	}
}
