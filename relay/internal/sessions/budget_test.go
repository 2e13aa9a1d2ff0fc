package sessions_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/wire"
	"assimilation/wire/link"
)

// noise is a fact body of about so many bytes that hardly gets smaller.
func noise(seed byte, size int) string {
	raw := make([]byte, size*3/4)
	rand.NewChaCha8([32]byte{seed}).Read(raw)
	return `"` + base64.StdEncoding.EncodeToString(raw) + `"`
}

// crowd enrols n probes.
func (s *site) crowd(n int) []*probe {
	s.t.Helper()
	probes := make([]*probe, n)
	for i := range probes {
		probes[i] = s.probe(byte(100 + i))
		probes[i].connect()
		if reason, _ := probes[i].enrol(); reason != wire.Accepted {
			s.t.Fatalf("enrolment refused: %v", reason)
		}
	}
	return probes
}

// together runs all probes until each has its verdict on the last message that
// it sent, and returns how long that took.
func together(t *testing.T, probes []*probe, within time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		pending := 0
		for _, p := range probes {
			for _, e := range p.run(time.Millisecond) {
				if r, ok := e.(link.Refused); ok {
					t.Fatalf("refused: %v", r.Reason)
				}
			}
			pending += p.link.Pending()
		}
		if pending == 0 {
			return time.Since(start)
		}
		if time.Since(start) > within {
			t.Fatalf("%d messages are not durable within %v", pending, within)
		}
	}
}

func TestManyLargeMessagesAtOnceAreSharedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, goodToken())
		defer s.stop()
		probes := s.crowd(12)
		for i, p := range probes { // 12 times 7 MiB, more than may be promised
			if _, err := p.link.Send(time.Now(), put("x-large", "", noise(byte(i), 7<<20))); err != nil {
				t.Fatal(err)
			}
			for j := range 20 { // and small ones, which overtake and use up credit
				if _, err := p.link.Send(time.Now(), put("x-small", fmt.Sprint(j), noise(byte(j), 12<<10))); err != nil {
					t.Fatal(err)
				}
			}
		}
		together(t, probes, 10*time.Minute)
		if most := s.table.MostPromised(); most > 64<<20 {
			t.Errorf("%d bytes were promised at a time", most)
		}
		if left := s.table.Promised(); left != 0 {
			t.Errorf("%d bytes are still promised", left)
		}
	})
}

// Probes that ask for all there is and send nothing lose their sessions; the
// others wait for that, but not longer.
func TestWhoDoesNotUseItsTurnLosesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, goodToken())
		defer s.stop()
		probes := s.crowd(12)
		large := put("x-large", "", noise(1, 7<<20))
		for _, p := range probes[:11] {
			if _, err := p.link.Send(time.Now(), large); err != nil {
				t.Fatal(err)
			}
			datagrams, _ := p.link.Poll(time.Now())
			for _, d := range datagrams { // the first chunks, and never again anything
				s.toRelay(d, p.address)
			}
		}
		synctest.Wait()
		good := probes[11:]
		if _, err := good[0].link.Send(time.Now(), large); err != nil {
			t.Fatal(err)
		}
		if took := together(t, good, 5*time.Minute); took < leaseAtLeast {
			t.Errorf("got its turn after %v: there was no queue", took)
		}
		if got := s.drops("credit not used in time"); got < 5 {
			t.Errorf("%v sessions were closed", got)
		}
	})
}

const leaseAtLeast = 30 * time.Second

// A disk that stands still stops acknowledgements, and nothing else.
func TestAStalledDiskStallsNobody(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		release := make(chan struct{})
		s.store.Submit(func(*store.Tx) error { <-release; return nil }, func(error) {})
		filled := make(chan struct{})
		go func() {
			defer close(filled)
			for range 3000 { // more than the store's queue holds
				s.store.Submit(func(*store.Tx) error { return nil }, func(error) {})
			}
		}()
		synctest.Wait()
		if _, err := p.link.Send(time.Now(), put("os", "", `{"kernel":"6.1"}`)); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			p.link.Echo(time.Now())
			alive := false
			for _, e := range p.run(time.Second) {
				_, reply := e.(link.EchoReply)
				alive = alive || reply
				if _, done := e.(link.Delivered); done {
					t.Error("acknowledged before it was durable")
				}
			}
			if !alive {
				t.Fatal("the relay does not answer while its disk stands still")
			}
		}
		close(release)
		<-filled
		together(t, []*probe{p}, time.Minute)
	})
}
