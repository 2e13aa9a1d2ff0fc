package link_test

import (
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/link"
)

// FuzzTransportFrames hands plaintexts to a link that is itself sending: a
// peer with good keys and bad software. It must not crash, hold too much, or
// go on sending for ever.
func FuzzTransportFrames(f *testing.F) {
	f.Add(chunks(1, goodbye(f))[0], []byte{})
	f.Add(dataFrame(1, 5000, wire.ChunkSize, make([]byte, wire.ChunkSize)), dataFrame(1, 5000, 0, nil))
	f.Add(ackFrame(1, 0, 0, 0, wire.ChunkSize, 2*wire.ChunkSize), ackFrame(1, 1, 0, 0))
	f.Add(ackFrame(2, 2, wire.Busy, 7), numberFrame(3, 1<<40))
	f.Add(numberFrame(4, 7), numberFrame(5, 1))
	f.Add([]byte{0, 1, 2}, []byte{99, 1})
	fact := encodedFact(f, 4*wire.ChunkSize+77)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s := newScripted(t)
		s.link.Echo(s.now)
		s.queue(goodbye(t))
		s.queue(fact)
		s.poll()
		for _, plaintext := range [][]byte{first, second, first} {
			if len(plaintext) > wire.MaxPlaintext {
				return
			}
			events, _ := s.trySend(plaintext)
			for _, e := range events {
				if r, ok := e.(link.Received); ok && r.ID%2 == 0 {
					s.link.Done(r.ID)
				}
			}
			for range 20 {
				datagrams, wake := s.link.Poll(s.now)
				if len(datagrams) > 1000 || wake.IsZero() {
					break
				}
				if wake.Before(s.now) {
					t.Fatalf("wake %s before now", s.now.Sub(wake))
				}
				s.now = wake.Add(time.Nanosecond)
			}
		}
		if st := s.link.Stats(); st.Held > wire.MaxHeld || st.InFlight < 0 {
			t.Fatalf("%+v", st)
		}
	})
}

// BenchmarkMessage is one small message there and its verdict back.
func BenchmarkMessage(b *testing.B) {
	x, y := sessions(b, 1)
	random := func() float64 { return 0 }
	from, to := link.New(x, epoch, random), link.New(y, epoch, random)
	encoded := goodbye(b)
	for b.Loop() {
		if _, err := from.SendEncoded(epoch, encoded); err != nil {
			b.Fatal(err)
		}
		datagrams, _ := from.Poll(epoch)
		for _, d := range datagrams {
			events, err := to.Receive(epoch, d)
			if err != nil {
				b.Fatal(err)
			}
			for _, e := range events {
				to.Done(e.(link.Received).ID)
			}
		}
		answers, _ := to.Poll(epoch)
		for _, d := range answers {
			if _, err := from.Receive(epoch, d); err != nil {
				b.Fatal(err)
			}
		}
	}
	if from.Pending() != 0 {
		b.Fatal("messages are left")
	}
}
