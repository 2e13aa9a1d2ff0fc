package sessions_test

import (
	"context"
	"crypto/ed25519"
	"net/netip"
	"testing"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/wire"
	"assimilation/wire/link"
)

var oldKey, nextKey = ed25519.NewKeyFromSeed(make([]byte, 32)), ed25519.NewKeyFromSeed(append(make([]byte, 31), 1))

// word is what a site says while nextKey replaces oldKey, and then.
func word(sequence uint64, alone bool) sessions.SiteWord {
	statement := wire.KeyStatement{
		Sequence: sequence, Alone: alone,
		Newest: [32]byte(nextKey.Public().(ed25519.PublicKey)), Former: [32]byte(oldKey.Public().(ed25519.PublicKey)),
	}.Sign(nextKey, oldKey)
	revoked := wire.Revocation{At: 1, Relays: [][16]byte{{1}}}
	w := sessions.SiteWord{Keys: &statement, Revocation: revoked.Sign(oldKey).Append(nil), NextRevocation: revoked.Sign(nextKey).Append(nil)}
	if alone {
		w.Revocation, w.NextRevocation = w.NextRevocation, nil
	}
	return w
}

// hear takes what the relay says within d: the sequences of statements, and by which key
// lists of revoked relays are.
func (p *probe) hear(d time.Duration, refuse wire.Reason) (all []string) {
	for _, e := range p.run(d) {
		r, ok := e.(link.Received)
		if !ok {
			continue
		}
		switch m := r.Message.(type) {
		case *wire.SiteKeys:
			all = append(all, "keys")
			if refuse != wire.Accepted {
				p.link.Refuse(r.ID, refuse)
				continue
			}
		case *wire.Revoke:
			by := "next"
			if list, err := wire.ParseRevocation(m.Revocation); err == nil && list.Verify(oldKey.Public().(ed25519.PublicKey)) == nil {
				by = "old"
			}
			all = append(all, "revoked by "+by)
		}
		p.link.Done(r.ID)
	}
	return append(all, p.later(d)...)
}

// later is what comes when the relay has noted the answers.
func (p *probe) later(d time.Duration) (all []string) {
	for _, e := range p.run(d) {
		if r, ok := e.(link.Received); ok {
			p.link.Done(r.ID)
			all = append(all, "then")
		}
	}
	return all
}

// knows is what the store has of the host.
func (s *site) knows() uint64 {
	hosts, err := s.store.Hosts(context.Background())
	if err != nil || len(hosts) != 1 {
		s.t.Fatalf("%d hosts, %v", len(hosts), err)
	}
	return hosts[0].SiteKeys
}

// proving notes by which key calls are made; the table's goroutine calls.
type proving chan bool

func (c proving) Call(_ [32]byte, _ netip.AddrPort, newest bool) { c <- newest }

// TestAProbeIsToldTheSitesKeys follows a key's replacement in one session, over a restart
// of the relay, and at a probe that comes from an older image.
func TestAProbeIsToldTheSitesKeys(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		s.table.SetSiteWord(word(1, false))
		s.table.SetSiteWord(word(1, false)) // each orders bring it again
		if got := p.hear(time.Second, wire.Accepted); len(got) != 3 || got[0] != "revoked by old" || got[1] != "keys" || s.knows() != 1 {
			t.Fatalf("told %q, and the host knows %d", got, s.knows())
		}
		s.stopTable()
		s.startTable()
		s.table.SetSiteWord(word(1, false))
		calls := make(proving, 16)
		s.table.Recall(context.Background(), calls)
		if !<-calls {
			t.Error("called by the former key")
		}
		p.connect()
		hello := wire.Hello{AgentVersion: "1", HostName: "db1", OS: "linux", Arch: "amd64", Time: time.Now().UnixMilli(), SiteKeys: 1}
		if _, answers := p.say(&hello); len(answers) != 2 {
			t.Errorf("who knows is told %v", answers)
		}
		s.table.SetSiteWord(word(2, true))
		if got := p.hear(time.Second, wire.Accepted); len(got) != 1 || got[0] != "keys" || s.knows() != 2 {
			t.Errorf("of the old key's end told %q, and the host knows %d", got, s.knows())
		}
		s.table.SetSiteWord(word(1, false)) // nobody goes back
		if got := p.hear(time.Second, wire.Accepted); len(got) != 0 {
			t.Errorf("of an older word told %q", got)
		}
		p.connect()
		hello.SiteKeys = 0 // its disk is of before
		if _, answers := p.say(&hello); len(answers) != 3 || s.knows() != 2 {
			t.Errorf("who has forgotten is told %v, and knows %d", answers, s.knows())
		}
	})
}

// A probe of before this version refuses the message, and goes on as before.
func TestAnOldProbeKeepsItsSession(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		s.table.SetSiteWord(word(1, false))
		if got := p.hear(time.Second, wire.Unsupported); len(got) != 2 || got[1] != "keys" || s.knows() != 0 {
			t.Errorf("told %q, and the host knows %d", got, s.knows())
		}
		if reason, _ := p.say(&wire.FactGone{Kind: "a"}); reason != wire.Accepted {
			t.Errorf("the session is over: %v", reason)
		}
		s.stopTable()
		s.startTable()
		s.table.SetSiteWord(word(1, false))
		calls := make(proving, 16)
		s.table.Recall(context.Background(), calls)
		if <-calls {
			t.Error("called by the newest key, which it does not know")
		}
	})
}
