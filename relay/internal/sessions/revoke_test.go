package sessions_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/wire"
	"assimilation/wire/link"
)

func TestSetRevocation(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		key := ed25519.NewKeyFromSeed(make([]byte, 32))
		first := wire.Revocation{At: 1, Relays: [][16]byte{{1}}}.Sign(key).Append(nil)
		second := wire.Revocation{At: 2, Relays: [][16]byte{{1}, {2}}}.Sign(key).Append(nil)
		told := func(d time.Duration) (all []string) {
			for _, e := range p.run(d) {
				if r, ok := e.(link.Received); ok {
					p.link.Done(r.ID)
					all = append(all, string(r.Message.(*wire.Revoke).Revocation))
				}
			}
			return all
		}
		s.table.SetSiteWord(sessions.SiteWord{Revocation: nil})
		if got := told(time.Second); len(got) != 0 {
			t.Errorf("told of nobody: %q", got)
		}
		s.table.SetSiteWord(sessions.SiteWord{Revocation: first})
		s.table.SetSiteWord(sessions.SiteWord{Revocation: first}) // each orders bring it again
		if got := told(time.Second); len(got) != 1 || got[0] != string(first) {
			t.Errorf("in a session, told %q", got)
		}
		s.table.SetSiteWord(sessions.SiteWord{Revocation: second})
		if got := told(time.Second); len(got) != 1 || got[0] != string(second) {
			t.Errorf("then told %q", got)
		}
		p.connect()
		_, answers := p.hello()
		if len(answers) != 2 || string(answers[1].(*wire.Revoke).Revocation) != string(second) {
			t.Errorf("after the next hello: %v", answers)
		}
	})
}
