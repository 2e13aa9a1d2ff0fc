package ingest

import (
	"context"
	"testing"

	"assimilation/saas/internal/relaychan"
	"assimilation/tenancy"
	"assimilation/tenancy/store/storetest"
	"assimilation/uplink"
	"assimilation/wire"
)

// forward sends records of r's stream as the relay by does.
func (r *relay) forward(t testing.TB, by Source, first, last uint64) (uplink.Ack, error) {
	t.Helper()
	header, payload := r.batch(t, first, last)
	header.Relay, header.Origin = by.Relay, r.source.Relay
	encoded, err := r.f.service.Batch(context.Background(), relaychan.Request{
		Relay: relaychan.Relay{ID: by.Relay, Tenant: by.Tenant, Site: by.Site}, Header: header, Payload: payload,
	})
	if err != nil {
		return uplink.Ack{}, err
	}
	return uplink.DecodeAck(encoded)
}

func TestARelayForwardsForAnother(t *testing.T) {
	f := newFixture(t)
	dead := f.relay(t)
	alive := dead.beside(t)
	web := dead.probe(t, "web")
	web.install(t, "bash=5.2", "libc6=2.36")
	end := uint64(len(dead.records))
	dead.send(t, 1, 5)
	ack, err := dead.forward(t, alive.source, 3, 10) // some of it came already
	if err != nil || ack.Reason != wire.Accepted || ack.Position != 10 || ack.Epoch != dead.epoch {
		t.Fatalf("ack %+v, %v", ack, err)
	}
	if ack, err = dead.forward(t, alive.source, 12, end); err != nil || ack.Position != 10 {
		t.Fatalf("a hole was taken: %+v, %v", ack, err)
	}
	if ack, err = dead.forward(t, alive.source, 11, end); err != nil || ack.Position != end {
		t.Fatalf("ack %+v, %v", ack, err)
	}
	// The relay comes back and learns that its stream is ahead.
	if ack := dead.send(t, 6, end); ack.Position != end || uplink.Chain(ack.Chain) != dead.chains[end] {
		t.Errorf("ack %+v", ack)
	}
	if own := value[int](t, f, `SELECT count(*) FROM assim.streams WHERE relay = $1`, alive.source.Relay); own != 0 {
		t.Error("what was forwarded moved the forwarder's own stream")
	}
	if from := value[tenancy.RelayID](t, f, `SELECT relay FROM assim.hosts`); from != dead.source.Relay {
		t.Errorf("the host is relay %s's", from)
	}
	f.consistent(t)
}

func TestWhoMayForward(t *testing.T) {
	f := newFixture(t)
	dead := f.relay(t)
	alive, elsewhere := dead.beside(t), f.relay(t)
	stranger := newTenant(t, f).relay(t)
	dead.probe(t, "web")
	revoked := dead.beside(t)
	revoked.probe(t, "db")
	f.exec(t, `UPDATE assim.relays SET revoked_at = now() WHERE id = $1`, revoked.source.Relay)
	for _, test := range []struct {
		name   string
		origin *relay
		by     Source
		want   wire.Reason
	}{
		{"a relay of another site", dead, elsewhere.source, wire.WrongSite},
		{"a relay of another tenant", dead, stranger.source, wire.NotEnrolled},
		{"for a revoked relay", revoked, alive.source, wire.Revoked},
	} {
		t.Run(test.name, func(t *testing.T) {
			if ack, err := test.origin.forward(t, test.by, 1, 1); err != nil || ack.Reason != test.want || ack.Position != 0 {
				t.Errorf("ack %+v, %v", ack, err)
			}
		})
	}
	// Its request was opened before it was revoked.
	if _, err := dead.forward(t, revoked.source, 1, 1); wire.ReasonOf(err) != wire.Revoked {
		t.Errorf("a revoked forwarder: %v", err)
	}
	// The header says so, whatever the chain: it is the origin's that counts.
	header, payload := alive.batchOf(t, dead)
	_, err := f.service.Batch(context.Background(), relaychan.Request{
		Relay: relaychan.Relay{ID: alive.source.Relay, Tenant: f.tenant, Site: alive.source.Site}, Header: header, Payload: payload,
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.hosts`); n != 0 {
		t.Errorf("%d hosts by forbidden ways", n)
	}
}

// batchOf is a batch of the origin's records under the chain of r's own stream.
func (r *relay) batchOf(t testing.TB, origin *relay) (uplink.Header, []byte) {
	t.Helper()
	for _, record := range origin.records {
		r.raw(record)
	}
	header, payload := r.batch(t, 1, uint64(len(origin.records)))
	header.Origin = origin.source.Relay
	return header, payload
}

// newTenant is f's service with another tenant.
func newTenant(t testing.TB, f *fixture) *fixture {
	t.Helper()
	other := *f
	other.tenant = storetest.Tenant(t, f.db)
	return &other
}

func TestTheHigherTermSaysWhoHasAHost(t *testing.T) {
	f := newFixture(t)
	a := f.relay(t)
	b := a.beside(t)
	web := a.probe(t, "web")
	say := func(r *relay, state uplink.State, term uint64, want string) {
		t.Helper()
		r.add(t, uplink.Change{Type: uplink.HostState, Host: web.id, Term: term, HostState: &uplink.HostStateBody{State: state}})
		r.flush(t)
		if got := value[string](t, f, `SELECT state FROM assim.hosts WHERE id = $1`, web.id); got != want {
			t.Errorf("%s under term %d: the host is %s, want %s", state, term, got, want)
		}
	}
	say(a, uplink.Up, 5, "up")
	say(b, uplink.ShutDown, 6, "shut down") // the higher term
	say(a, uplink.Up, 5, "shut down")       // comes late
	say(b, uplink.Up, 6, "up")
	say(a, uplink.Silent, 0, "up") // says no term, and b hears it
	say(a, uplink.Silent, 7, "silent")
}
