package sessions_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"assimilation/discovery"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
	"assimilation/wire/link"
)

func put(kind, instance, body string) *wire.FactPut {
	hash := discovery.HashBody(kind, 1, []byte(body))
	return &wire.FactPut{
		Digest: wire.Digest{Kind: kind, Instance: instance, Hash: hash[:], Version: 1}, Body: []byte(body), ObservedAt: time.Now().UnixMilli(),
	}
}

func TestFromTokenToFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, goodToken())
		defer s.stop()
		p := s.probe(1)
		p.connect()
		if reason, _ := p.hello(); reason != wire.NotEnrolled {
			t.Errorf("hello of a stranger: %v", reason)
		}
		reason, answers := p.enrol()
		if reason != wire.Accepted || len(answers) != 1 {
			t.Fatalf("enrolment: %v, %v", reason, answers)
		}
		host := answers[0].(*wire.Enrolled).Host
		if _, again := p.enrol(); !reflect.DeepEqual(again[0], answers[0]) {
			t.Errorf("enrolling again gave %v", again[0])
		}
		_, answers = p.hello()
		if c := answers[0].(*wire.Configure); !reflect.DeepEqual(c.Host, host) || c.EchoInterval != 30_000 || c.Term == 0 {
			t.Errorf("configured as %+v", c)
		}
		os := put("os", "", `{"kernel":"6.1"}`)
		_, answers = p.say(&wire.Digests{Kinds: []string{"os"}, Facts: []wire.Digest{os.Digest}})
		if need := answers[0].(*wire.Need); !reflect.DeepEqual(need.Facts, []wire.Digest{os.Digest}) {
			t.Errorf("the relay needs %+v", need.Facts)
		}
		if reason, _ := p.say(os); reason != wire.Accepted {
			t.Errorf("fact: %v", reason)
		}
		_, answers = p.say(&wire.Digests{Kinds: []string{"os"}, Facts: []wire.Digest{os.Digest}})
		if need := answers[0].(*wire.Need); len(need.Facts) != 0 {
			t.Errorf("after it was sent the relay needs %+v", need.Facts)
		}
		p.say(&wire.FactGone{Kind: "os", ObservedAt: time.Now().UnixMilli()})

		var got []uplink.ChangeType
		for _, c := range s.records() {
			got = append(got, c.Type)
		}
		want := []uplink.ChangeType{uplink.HostState, uplink.TokenUse, uplink.HostState, uplink.FactPut, uplink.FactGone}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("records are %v, want %v", got, want)
		}
	})
}

func TestATokenMayArriveJustAfterItsProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.stop()
		p := s.probe(1)
		p.connect()
		time.AfterFunc(time.Second, func() {
			s.store.Submit(func(tx *store.Tx) error {
				_, err := tx.ApplyOrders(uplink.Orders{Revision: 2, Tokens: []uplink.TokenOrder{goodToken()}}, time.Now().UnixMilli())
				return err
			}, func(error) {})
		})
		if reason, _ := p.enrol(); reason != wire.Accepted {
			t.Errorf("the token came a second later: %v", reason)
		}
		for _, c := range s.records() {
			if c.Type == uplink.Refusal {
				t.Error("a refusal was recorded")
			}
		}
		q := s.probe(2)
		q.connect()
		reason, _ := q.say(&wire.Enrol{TokenID: "zzzzzzzzzzzz", Secret: secret, HostName: "db2", Time: time.Now().UnixMilli()})
		if reason != wire.UnknownToken {
			t.Errorf("a token that never comes: %v", reason)
		}
	})
}

func TestHelloIsRecordedOnlyWhenItIsNews(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		before := len(s.records())
		p.hello()
		if got := len(s.records()); got != before {
			t.Errorf("the same hello made %d records", got-before)
		}
		p.say(&wire.Hello{AgentVersion: "2", HostName: "db1", OS: "linux", Arch: "amd64"})
		changes := s.records()
		if len(changes) != before+1 || changes[before].HostState.AgentVersion != "2" {
			t.Errorf("a new version made records %+v", changes[before:])
		}
	})
}

func TestAHugeFactThroughALossyNetwork(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		random := rand.New(rand.NewPCG(1, 2))
		s.mu.Lock()
		s.loss = func() bool { return random.IntN(10) == 0 }
		s.mu.Unlock()
		body := `"` + strings.Repeat("x", 300_000) + `"`
		if reason, _ := p.say(put("x-big", "", body)); reason != wire.Accepted {
			t.Fatalf("refused: %v", reason)
		}
		changes := s.records()
		if last := changes[len(changes)-1]; string(last.Body) != body {
			t.Errorf("the record carries %d bytes, want %d", len(last.Body), len(body))
		}
	})
}

func TestPresence(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		p.run(10 * time.Minute) // its link answers the relay's echoes
		if got, want := s.states(), []uplink.State{uplink.Up, uplink.Up}; !reflect.DeepEqual(got, want) {
			t.Fatalf("a quiet probe: states %v, want %v", got, want)
		}
		silent := time.Now()
		p.link.Echo(silent)
		p.run(time.Second)
		time.Sleep(46 * time.Second)
		synctest.Wait()
		if got := s.states(); len(got) != 2 {
			t.Errorf("after 47 s: states %v", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		changes := s.records()
		last := changes[len(changes)-1]
		if last.HostState == nil || last.HostState.State != uplink.Silent {
			t.Fatalf("after 49 s: %+v", last)
		}
		if after := time.UnixMilli(last.SeenAt).Sub(silent); after < 45*time.Second {
			t.Errorf("called silent after %v", after)
		}
		p.link.Echo(time.Now())
		p.run(time.Second)
		if got, want := s.states(), []uplink.State{uplink.Up, uplink.Up, uplink.Silent, uplink.Up}; !reflect.DeepEqual(got, want) {
			t.Errorf("heard again: states %v, want %v", got, want)
		}
		p.say(&wire.Goodbye{Cause: "host shutdown"})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		changes = s.records()
		if last := changes[len(changes)-1].HostState; last == nil || last.State != uplink.ShutDown || last.Cause != "host shutdown" {
			t.Errorf("after goodbye: %+v", last)
		}
		if s.table.Sessions() != 0 {
			t.Errorf("%d sessions are left of a host that is shut down", s.table.Sessions())
		}
		p.connect()
		p.hello()
		if got := s.states(); got[len(got)-1] != uplink.Up {
			t.Errorf("after its return: states %v", got)
		}
	})
}

func TestARestartedRelayGivesGrace(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		s.stopTable()
		time.Sleep(time.Hour)
		s.startTable()
		time.Sleep(88 * time.Second)
		synctest.Wait()
		if got := s.states(); got[len(got)-1] != uplink.Up {
			t.Errorf("within the grace: states %v", got)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := s.states(); got[len(got)-1] != uplink.Silent {
			t.Errorf("after the grace: states %v", got)
		}
		p.connect()
		p.hello()
		if got := s.states(); got[len(got)-1] != uplink.Up {
			t.Errorf("after its return: states %v", got)
		}
	})
}

func TestANewSessionReplacesTheOldOnlyOnceItSpeaks(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		old := *p
		p.connect()
		if reason, _ := old.hello(); reason != wire.Accepted {
			t.Errorf("the old session ended with a mere handshake: %v", reason)
		}
		if reason, _ := p.hello(); reason != wire.Accepted {
			t.Errorf("the new session: %v", reason)
		}
		if n := s.table.Sessions(); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
		dropped := s.drops("no session")
		old.link.Echo(time.Now())
		old.run(time.Second)
		if got := s.drops("no session"); got != dropped+1 {
			t.Errorf("a datagram of the old session was not dropped")
		}
	})
}

func TestRoaming(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		elsewhere := s.probe(99)
		p.address, p.box = elsewhere.address, elsewhere.box
		if reason, _ := p.hello(); reason != wire.Accepted {
			t.Fatalf("from another address: %v", reason)
		}
		hosts, err := s.store.Hosts(context.Background())
		if err != nil || hosts[0].Address != p.address.String() {
			t.Errorf("the host is known at %s, %v", hosts[0].Address, err)
		}
	})
}

func TestBadFactsAreRefusedByName(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		broken := put("os", "", `{"b":1,"a":2}`)
		wrongHash := put("os", "two", `{"a":1}`)
		wrongHash.Hash = make([]byte, 32)
		for _, m := range []*wire.FactPut{broken, broken, wrongHash} {
			if reason, _ := p.say(m); reason != wire.Malformed {
				t.Errorf("%s/%s: %v, want malformed", m.Kind, m.Instance, reason)
			}
		}
		if reason, _ := p.say(&wire.Problem{Kind: "sockets", Reason: wire.MissingRight, Detail: "needs CAP_SYS_PTRACE"}); reason != wire.Accepted {
			t.Errorf("problem: %v", reason)
		}
		p.say(&wire.Problem{Kind: "sockets"})
		p.say(put("os", "", `{"a":2,"b":1}`))
		var got []string
		for _, c := range s.records() {
			if c.Type == uplink.Refusal {
				got = append(got, fmt.Sprint(c.Kind, "/", c.Instance, " ", c.Refusal.Reason, " ", c.Refusal.Cleared))
			}
		}
		want := []string{"os/ malformed false", "os/two malformed false", "sockets/ missing right false", "sockets/ missing right true", "os/ malformed true"}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("refusals are\n%q, want\n%q", got, want)
		}
	})
}

func TestARetiredHostIsRefused(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		p.say(put("os", "", `1`))
		hosts, err := s.store.Hosts(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		orders := uplink.Orders{Revision: 2, Tokens: []uplink.TokenOrder{goodToken()}, Retired: []tenancy.HostID{hosts[0].ID}}
		var known []tenancy.HostID
		err = s.store.Do(context.Background(), func(tx *store.Tx) (err error) {
			known, err = tx.ApplyOrders(orders, time.Now().UnixMilli())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.table.Retire(context.Background(), known); err != nil {
			t.Fatal(err)
		}
		p.connect()
		if reason, _ := p.hello(); reason != wire.Revoked {
			t.Errorf("hello of a retired host: %v", reason)
		}
		if reason, _ := p.enrol(); reason != wire.Revoked {
			t.Errorf("enrolment of a retired host's key: %v", reason)
		}
		if stats, err := s.store.Stats(context.Background()); err != nil || stats.Facts != 0 || stats.Bodies != 0 {
			t.Errorf("of a retired host %+v is left, %v", stats, err)
		}
	})
}

func TestAHostIsBounded(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		packer, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer packer.Close()
		bomb := packer.EncodeAll(make([]byte, wire.MaxMessage-2), []byte{byte(wire.TypeDigests), 1})
		reasons := map[wire.Reason]int{}
		for range 50 { // 14 KB that expand to 400 MB
			if _, err := p.link.SendEncoded(time.Now(), bomb); err != nil {
				t.Fatal(err)
			}
			for _, e := range p.run(20 * time.Millisecond) {
				if refused, ok := e.(link.Refused); ok {
					reasons[refused.Reason]++
				}
			}
		}
		if reasons[wire.Malformed] > 12 || reasons[wire.Busy] < 30 {
			t.Errorf("a host that makes us expand bombs hears %v", reasons)
		}
		before := len(s.records())
		for i := range 10 {
			if reason, _ := p.say(&wire.Problem{Kind: "os", Reason: wire.CollectFailed, Detail: fmt.Sprint(i)}); reason != wire.Busy && i == 0 {
				t.Errorf("a problem of a host that says too much: %v", reason)
			}
		}
		if got := len(s.records()) - before; got > 10 {
			t.Errorf("%d records", got)
		}
		other := s.probe(2)
		other.connect()
		if reason, _ := other.enrol(); reason != wire.Accepted {
			t.Errorf("another host: %v", reason)
		}
		p.run(time.Minute)
		if reason, _ := p.say(put("os", "", `"later"`)); reason != wire.Accepted {
			t.Errorf("a minute later: %v", reason)
		}
		// A flood of news fills the outbox at the rate of the allowance only.
		before = len(s.records())
		for i := range 10_000 {
			if _, err := p.link.Send(time.Now(), &wire.Problem{Kind: "os", Reason: wire.CollectFailed, Detail: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			if i%100 == 0 {
				p.run(20 * time.Millisecond)
			}
		}
		p.run(time.Second)
		if got := len(s.records()) - before; got == 0 || got > 5000 {
			t.Errorf("10,000 problems made %d records", got)
		}
	})
}

func TestStrangersAreBounded(t *testing.T) {
	bubble(t, func(s *site, _ *probe) {
		stranger := s.probe(2)
		stranger.connect()
		for range 200 {
			stranger.link.Echo(time.Now())
			stranger.run(10 * time.Millisecond)
		}
		if reason, _ := stranger.hello(); reason != wire.NotEnrolled {
			t.Errorf("hello: %v", reason)
		}
		random := rand.NewChaCha8([32]byte{})
		noise := make([]byte, 150_000) // does not compress
		random.Read(noise)
		for name, m := range map[string]wire.Message{
			"expands":         put("x-big", "", `"`+strings.Repeat("x", 200_000)+`"`),
			"does not shrink": put("x-noise", "", fmt.Sprintf("%q", fmt.Sprintf("%x", noise))),
		} {
			if reason, _ := stranger.say(m); reason != wire.NotEnrolled {
				t.Errorf("a large message that %s: %v", name, reason)
			}
		}
		for i := range 100 {
			many := &wire.Hello{HostName: "x", Labels: map[string]string{}}
			for j := range 8 {
				many.Labels[fmt.Sprint(j)] = fmt.Sprintf("%x", noise[(i*8+j)*100:][:100])
			}
			if _, err := stranger.link.Send(time.Now(), many); err != nil {
				t.Fatal(err)
			}
			stranger.run(50 * time.Millisecond)
		}
		if got := s.drops("stranger sends too much"); got != 1 {
			t.Errorf("a stranger may send what it likes (%v)", got)
		}
		quiet := s.probe(3)
		quiet.connect()
		quiet.hello()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if n := s.table.Sessions(); n > 1 {
			t.Errorf("%d sessions are left, want 1 at most", n)
		}
	})
}

func TestPendingHandshakesAreForgotten(t *testing.T) {
	bubble(t, func(s *site, p *probe) {
		for range 50 {
			p.connect()
		}
		if n := s.table.Sessions(); n != 51 {
			t.Errorf("%d sessions, want 51", n)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := s.table.Sessions(); n != 1 {
			t.Errorf("%d sessions after their time, want 1", n)
		}
	})
}
