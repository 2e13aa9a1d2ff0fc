package enrol_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/relay/internal/enrol"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

var (
	now    = time.UnixMilli(1_790_000_000_000)
	secret = bytes.Repeat([]byte{7}, tenancy.SecretSize)
	from   = netip.MustParseAddrPort("10.0.0.7:1984")
)

type fixture struct {
	t     *testing.T
	store *store.Store
	desk  *enrol.Desk
	site  tenancy.SiteID
	log   *bytes.Buffer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s, err := store.Open(context.Background(), t.TempDir(), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	seal, err := uplink.NewOpenKey()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, store: s, site: tenancy.NewID[tenancy.SiteID](), log: &bytes.Buffer{}}
	f.do(func(tx *store.Tx) error {
		if err := tx.SaveKeys(store.Keys{Sign: make([]byte, 64), Seal: seal}); err != nil {
			return err
		}
		return tx.Enrol(store.Enrolment{
			TenantKey: seal.SealKey(), Site: f.site, Relay: tenancy.NewID[tenancy.RelayID](), SiteKey: make([]byte, 32),
		}, now.UnixMilli())
	})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "refused"}, []string{"reason"})
	f.desk = enrol.NewDesk(f.site, s, slog.New(slog.NewTextHandler(f.log, nil)), refused)
	return f
}

func (f *fixture) do(fn func(*store.Tx) error) {
	f.t.Helper()
	if err := f.store.Do(context.Background(), fn); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) order(token uplink.TokenOrder, retired ...tenancy.HostID) {
	f.t.Helper()
	f.do(func(tx *store.Tx) error {
		_, err := tx.ApplyOrders(uplink.Orders{Revision: 1, Tokens: []uplink.TokenOrder{token}, Retired: retired}, now.UnixMilli())
		return err
	})
}

func (f *fixture) admit(a enrol.Applicant) enrol.Verdict {
	f.t.Helper()
	type answer struct {
		verdict enrol.Verdict
		err     error
	}
	answers := make(chan answer, 1)
	f.desk.Admit(a, now, func(v enrol.Verdict, err error) { answers <- answer{v, err} })
	got := <-answers
	if got.err != nil {
		f.t.Fatal(got.err)
	}
	return got.verdict
}

func (f *fixture) records() []uplink.Change {
	f.t.Helper()
	f.do(func(*store.Tx) error { return nil }) // all before it are committed
	batch, err := f.store.Records(context.Background(), 1000, 1<<20)
	if err != nil {
		f.t.Fatal(err)
	}
	var changes []uplink.Change
	for _, record := range batch.Encoded {
		change, err := uplink.DecodeRecord(record)
		if err != nil {
			f.t.Fatal(err)
		}
		changes = append(changes, change)
	}
	return changes
}

func goodToken() uplink.TokenOrder {
	hash := tenancy.HashSecret(secret)
	return uplink.TokenOrder{ID: "abcdefghijkl", Hash: hash[:], Allowance: -1, Labels: map[string]string{"env": "prod"}}
}

func applicant() enrol.Applicant {
	a := enrol.Applicant{
		Address: from,
		Enrol:   &wire.Enrol{TokenID: "abcdefghijkl", Secret: secret, HostName: "db1", MachineID: make([]byte, 32), Time: now.UnixMilli()},
	}
	rand.Read(a.Key[:])
	return a
}

func TestVerdicts(t *testing.T) {
	day := 24 * time.Hour
	in := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	for name, c := range map[string]struct {
		token func(*uplink.TokenOrder)
		asks  func(*enrol.Applicant)
		want  wire.Reason
	}{
		"good":                       {nil, nil, wire.Accepted},
		"good for a while":           {func(o *uplink.TokenOrder) { o.Expires = in(time.Hour) }, nil, wire.Accepted},
		"good, probe a bit ahead":    {func(o *uplink.TokenOrder) { o.Expires = in(time.Hour) }, func(a *enrol.Applicant) { a.Enrol.Time = in(2 * time.Hour) }, wire.Accepted},
		"good, clock of no concern":  {nil, func(a *enrol.Applicant) { a.Enrol.Time = in(100 * day) }, wire.Accepted},
		"no host name":               {nil, func(a *enrol.Applicant) { a.Enrol.HostName = "" }, wire.Malformed},
		"unknown id":                 {nil, func(a *enrol.Applicant) { a.Enrol.TokenID = "zzzzzzzzzzzz" }, wire.UnknownToken},
		"wrong secret":               {nil, func(a *enrol.Applicant) { a.Enrol.Secret = make([]byte, tenancy.SecretSize) }, wire.UnknownToken},
		"revoked":                    {func(o *uplink.TokenOrder) { o.Revoked = true }, nil, wire.Revoked},
		"of another site":            {func(o *uplink.TokenOrder) { o.WrongSite = true }, nil, wire.WrongSite},
		"expired":                    {func(o *uplink.TokenOrder) { o.Expires = in(-time.Minute) }, nil, wire.Expired},
		"expired, both clocks agree": {func(o *uplink.TokenOrder) { o.Expires = in(-100 * day) }, func(a *enrol.Applicant) { a.Enrol.Time = in(-50 * day) }, wire.Expired},
		"expired says the relay only": {func(o *uplink.TokenOrder) { o.Expires = in(-10 * day) },
			func(a *enrol.Applicant) { a.Enrol.Time = in(-30 * day) }, wire.ClockSkew},
		"expired says the probe only": {func(o *uplink.TokenOrder) { o.Expires = in(10 * day) },
			func(a *enrol.Applicant) { a.Enrol.Time = in(30 * day) }, wire.ClockSkew},
		"used up":                           {func(o *uplink.TokenOrder) { o.UsedUp = true }, nil, wire.UsedUp},
		"no allowance":                      {func(o *uplink.TokenOrder) { o.Allowance = 0 }, nil, wire.NoAllowance},
		"a wrong secret outdoes the others": {func(o *uplink.TokenOrder) { o.Revoked = true }, func(a *enrol.Applicant) { a.Enrol.Secret = make([]byte, 20) }, wire.UnknownToken},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			order, a := goodToken(), applicant()
			if c.token != nil {
				c.token(&order)
			}
			if c.asks != nil {
				c.asks(&a)
			}
			f.order(order)
			verdict := f.admit(a)
			if verdict.Reason != c.want {
				t.Fatalf("verdict %v, want %v", verdict.Reason, c.want)
			}
			if c.want == wire.Accepted {
				return
			}
			f.desk.Report(a, verdict.Reason, now)
			f.desk.Report(a, verdict.Reason, now.Add(time.Minute)) // said already
			changes := f.records()
			if len(changes) != 1 || changes[0].Refusal == nil || changes[0].Refusal.Reason != c.want || changes[0].Token != a.Enrol.TokenID {
				t.Errorf("records %+v, want one refusal", changes)
			}
			line := f.log.String()
			for _, part := range []string{c.want.String(), a.Enrol.TokenID, from.String()} {
				if strings.Count(line, part) != 1 {
					t.Errorf("the log says %q, want %q in it once", line, part)
				}
			}
			if strings.Contains(line, string(secret)) {
				t.Error("the log has the secret")
			}
			f.desk.Report(a, verdict.Reason, now.Add(11*time.Minute))
			if got := len(f.records()); got != 2 {
				t.Errorf("after 11 minutes there are %d records, want 2", got)
			}
		})
	}
}

func TestAdmissionIsOneTransactionAndSpendsOneUse(t *testing.T) {
	f := newFixture(t)
	order := goodToken()
	order.Allowance = 1
	f.order(order)
	a := applicant()
	first := f.admit(a)
	if first.Reason != wire.Accepted || !first.New || first.Host.ID != enrol.HostID(f.site, a.Key) {
		t.Fatalf("verdict %+v", first)
	}
	// The answer was lost, and meanwhile the token was revoked.
	order.Revoked = true
	f.order(order)
	if again := f.admit(a); again.Reason != wire.Accepted || again.New || again.Host.ID != first.Host.ID {
		t.Errorf("asked again: %+v", again)
	}
	order.Revoked = false
	f.order(order)
	if other := f.admit(applicant()); other.Reason != wire.NoAllowance {
		t.Errorf("a second host: %v", other.Reason)
	}
	changes := f.records()
	if len(changes) != 2 || changes[0].Type != uplink.HostState || changes[1].Type != uplink.TokenUse {
		t.Fatalf("records %+v, want a host and one use", changes)
	}
	state := changes[0].HostState
	if !state.Enrolled || state.Name != "db1" || state.Labels["env"] != "prod" || !bytes.Equal(state.ProbeKey, a.Key[:]) {
		t.Errorf("the new host is recorded as %+v", state)
	}
}

func TestARetiredHostsKeyIsRevokedEvenWhereItWasNeverKnown(t *testing.T) {
	f := newFixture(t)
	a := applicant()
	f.order(goodToken(), enrol.HostID(f.site, a.Key))
	if v := f.admit(a); v.Reason != wire.Revoked {
		t.Errorf("verdict %v", v.Reason)
	}
}

func TestAnnouncedReasonsAreBounded(t *testing.T) {
	f := newFixture(t)
	for i := range 3000 {
		announce := wire.Announce{Reason: wire.Malformed}
		announce.Fingerprint[0], announce.Fingerprint[1] = byte(i), byte(i>>8)
		f.desk.Announced(announce, from, now)
		f.desk.Announced(announce, from, now)
	}
	f.desk.Announced(wire.Announce{Reason: 4711}, from, now.Add(time.Hour))
	changes := f.records()
	if len(changes) != 100 {
		t.Errorf("3000 strangers made %d records, want 100", len(changes))
	}
	if r := changes[0].Refusal; r.Subject != "enrolment" || r.Reason != wire.Malformed || r.From != "10.0.0.7" {
		t.Errorf("recorded as %+v", r)
	}
}

func TestHostIDIsStable(t *testing.T) {
	site, key := tenancy.SiteID{UUID: [16]byte{1}}, [32]byte{2}
	const want = "1acd4a1d-c998-8fab-91a4-83d50c9d3571"
	id := enrol.HostID(site, key)
	if id.Version() != 8 || id.Variant().String() != "RFC4122" {
		t.Errorf("%s is not a UUID of version 8", id)
	}
	if id.String() != want {
		t.Errorf("host id is %s, want %s: it must never change", id, want)
	}
	if other := enrol.HostID(tenancy.SiteID{UUID: [16]byte{3}}, key); other == id {
		t.Error("two sites give one id")
	}
}

func TestWaitingProbesAreListedAndBounded(t *testing.T) {
	f := newFixture(t)
	announce := wire.Announce{Fingerprint: wire.Fingerprint([32]byte{1}), Reason: wire.Expired}
	f.desk.Announced(announce, from, now)
	f.desk.Announced(wire.Announce{Fingerprint: announce.Fingerprint}, netip.MustParseAddrPort("10.9.9.9:1"), now.Add(time.Second))
	f.desk.Announced(announce, netip.AddrPortFrom(from.Addr(), 4000), now.Add(2*time.Second))
	got := f.desk.Waiting(now.Add(3 * time.Second))
	want := enrol.Waiting{
		Fingerprint: announce.Fingerprint, Address: netip.AddrPortFrom(from.Addr(), 4000), Reason: wire.Expired, First: now, Last: now.Add(2 * time.Second),
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("waiting: %+v, want %+v", got, want)
	}
	if left := f.desk.Waiting(now.Add(5 * time.Minute)); len(left) != 0 {
		t.Errorf("after 5 minutes of silence: %+v", left)
	}
	for i := range 100_000 {
		var a wire.Announce
		a.Fingerprint[0], a.Fingerprint[1], a.Fingerprint[2] = byte(i), byte(i>>8), byte(i>>16)
		f.desk.Announced(a, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1), now.Add(time.Duration(i)*time.Millisecond))
	}
	if n := len(f.desk.Waiting(now)); n > 1024 {
		t.Errorf("a flood of announces left %d", n)
	}
}
