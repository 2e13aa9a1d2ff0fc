package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/kinds"
	"assimilation/discovery/residency"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// The store does not look into a body, so these need not be true to their kinds.
const (
	wired   = `{"ports":[{"chassis":"CANARY-CHASSIS","interface":"eth0","port":"CANARY-PORT"}]}`
	partial = `{"name":"n","rack":"CANARY-RACK"}`
)

func rulesWith(t *testing.T, more ...discovery.Kind) *residency.Rules {
	t.Helper()
	rules, err := residency.New(append(kinds.All(), more...))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

var mixed = discovery.Kind{Name: "mixed", Version: 1, Body: struct {
	Name string `json:"name" class:"internal"`
	Rack string `json:"rack,omitempty" class:"topology"`
}{}}

func guarded(t *testing.T, dir string, rules *residency.Rules) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), dir, store.Options{Log: slog.New(slog.DiscardHandler), Residency: rules})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// placed adds a host that says where it stands, and whose token does too.
func placed(t *testing.T, s *store.Store) tenancy.HostID {
	t.Helper()
	h := store.Host{
		ID: tenancy.NewID[tenancy.HostID](), Name: "db1", State: uplink.Up, StateAt: now, EnrolledAt: now, Token: "abcdefghijkl",
		TokenLabels: map[string]string{"room": "given"}, Labels: map[string]string{"rack": "CANARY-RACK", "env": "prod"},
	}
	rand.Read(h.ProbeKey[:])
	do(t, s, func(tx *store.Tx) error { return tx.AddHost(h) })
	return h.ID
}

func order(t *testing.T, s *store.Store, revision uint64, p uplink.Policy) {
	t.Helper()
	do(t, s, func(tx *store.Tx) error {
		_, err := tx.ApplyOrders(uplink.Orders{Revision: revision, Policy: p}, now)
		return err
	})
}

func retell(t *testing.T, s *store.Store) {
	t.Helper()
	for more := true; more; {
		do(t, s, func(tx *store.Tx) (err error) {
			more, err = tx.Retell(1, now)
			return err
		})
	}
	if s.Head().Retelling {
		t.Fatal("all hosts were told, and still more are to be")
	}
}

// since reads the records behind a position, which has to be acknowledged to be
// forgotten.
func since(t *testing.T, s *store.Store) (news []uplink.Change, text string) {
	t.Helper()
	news = records(t, s)
	batch, err := s.Records(context.Background(), 1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	acknowledge(t, s)
	return news, string(bytes.Join(batch.Encoded, nil))
}

func acknowledge(t *testing.T, s *store.Store) {
	t.Helper()
	do(t, s, func(tx *store.Tx) error { return tx.Acknowledge(s.Head().Last) })
}

func of(changes []uplink.Change, kind string) (types []uplink.ChangeType) {
	for _, c := range changes {
		if c.Kind == kind {
			types = append(types, c.Type)
		}
	}
	return types
}

func TestTopologyStaysUntilItMayLeaveAndIsTakenBack(t *testing.T) {
	dir := t.TempDir()
	rules := rulesWith(t, mixed)
	s := guarded(t, dir, rules)
	enrol(t, s)
	since(t, s)
	host := placed(t, s)
	for _, f := range []discovery.Fact{fact("switchport", "", wired), fact("mixed", "", partial), fact("of-tomorrow", "CANARY-PORT", `{"at":"CANARY-PORT"}`),
		fact("os", "", `{"name":"debian"}`), fact("x-ours", "", `{"rack":"ours"}`)} {
		if put(t, s, host, f) != store.Stored {
			t.Fatalf("%s was not stored", f.Kind)
		}
	}

	news, text := since(t, s)
	if strings.Contains(text, "CANARY") {
		t.Errorf("topology is in the outbox: %q", text)
	}
	if !strings.Contains(text, "given") || !strings.Contains(text, "prod") {
		t.Error("labels that may leave were held back")
	}
	for kind, want := range map[string][]uplink.ChangeType{
		"switchport": nil, "of-tomorrow": {uplink.Refusal}, "mixed": {uplink.FactPut}, "os": {uplink.FactPut}, "x-ours": {uplink.FactPut},
	} {
		if got := of(news, kind); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
	for _, c := range news {
		if c.Type == uplink.FactPut && discovery.Hash(c.Hash) != discovery.HashBody(c.Kind, int(c.Schema), c.Body) {
			t.Errorf("%s leaves under another body's hash", c.Kind)
		}
	}
	if facts, err := s.Facts(context.Background(), host); err != nil || len(facts) != 5 {
		t.Errorf("%d facts are held, %v", len(facts), err)
	}

	order(t, s, 1, uplink.Policy{Residency: uplink.Replicate, Decided: 1})
	if !s.Head().Retelling {
		t.Fatal("the decision is not told")
	}
	retell(t, s)
	news, text = since(t, s)
	for _, word := range []string{"CANARY-CHASSIS", "CANARY-RACK", "CANARY-PORT"} {
		if !strings.Contains(text, word) {
			t.Errorf("%s did not leave with 'replicate'", word)
		}
	}
	if got := of(news, "os"); got != nil {
		t.Errorf("a fact that always leaves was told again: %v", got)
	}
	for _, kind := range []string{"switchport", "mixed"} {
		if got := of(news, kind); !slices.Equal(got, []uplink.ChangeType{uplink.FactPut}) {
			t.Errorf("%s: %v", kind, got)
		}
	}
	if got := of(news, "of-tomorrow"); !slices.Equal(got, []uplink.ChangeType{uplink.Refusal, uplink.FactPut}) {
		t.Errorf("of-tomorrow: %v", got)
	}

	order(t, s, 2, uplink.Policy{Residency: uplink.Replicate, Decided: 1})
	if s.Head().Retelling {
		t.Error("the same decision is told twice")
	}
	order(t, s, 3, uplink.Policy{Residency: uplink.SiteOnly, Decided: 2})
	if err := s.Close(); err != nil { // before any host was told
		t.Fatal(err)
	}
	s = guarded(t, dir, rules)
	defer s.Close()
	retell(t, s)
	news, text = since(t, s)
	if got := of(news, "of-tomorrow"); !slices.Equal(got, []uplink.ChangeType{uplink.FactGone, uplink.Refusal}) {
		t.Errorf("of-tomorrow: %v", got)
	}
	if got := of(news, "switchport"); !slices.Equal(got, []uplink.ChangeType{uplink.FactGone}) {
		t.Errorf("switchport: %v", got)
	}
	if got := of(news, "mixed"); !slices.Equal(got, []uplink.ChangeType{uplink.FactPut}) {
		t.Errorf("mixed: %v", got)
	}
	if strings.Contains(text, "CANARY-RACK") || strings.Contains(text, "CANARY-CHASSIS") {
		t.Error("what is taken back is told once more")
	}
	do(t, s, func(tx *store.Tx) error { return tx.Restart(s.Head().Relay, now+1) })
	resync(t, s)
	if _, text = since(t, s); strings.Contains(text, "CANARY") {
		t.Error("a resync told what stays")
	}
}

func TestADecisionBetweenTwoLooksIsActedOn(t *testing.T) {
	s := guarded(t, t.TempDir(), rulesWith(t))
	defer s.Close()
	enrol(t, s)
	host := placed(t, s)
	put(t, s, host, fact("switchport", "", wired))
	order(t, s, 1, uplink.Policy{Residency: uplink.Replicate, Decided: 1})
	retell(t, s)
	since(t, s)
	// Back to 'site' and forth again, of which this relay hears the end only.
	order(t, s, 2, uplink.Policy{Residency: uplink.Replicate, Decided: 3})
	retell(t, s)
	if news, _ := since(t, s); !slices.Equal(of(news, "switchport"), []uplink.ChangeType{uplink.FactPut}) {
		t.Error("what the service forgot was not told again")
	}
}

func TestWhatWaitsIsHeldBack(t *testing.T) {
	s := guarded(t, t.TempDir(), rulesWith(t))
	defer s.Close()
	enrol(t, s)
	host := placed(t, s)
	order(t, s, 1, uplink.Policy{Residency: uplink.Replicate, Decided: 1})
	for range store.Window * store.BatchRecords { // what may be on its way already
		do(t, s, func(tx *store.Tx) error {
			return tx.Append(uplink.Change{Type: uplink.RelayState, SeenAt: now, Relay: &uplink.RelayBody{Event: "started"}})
		})
	}
	put(t, s, host, fact("switchport", "", wired))
	put(t, s, host, fact("os", "", `{"name":"debian"}`))
	order(t, s, 2, uplink.Policy{Residency: uplink.SiteOnly, Decided: 2})
	changes := records(t, s)
	if got := of(changes, "switchport"); got != nil {
		t.Errorf("switchport: %v", got)
	}
	if got := of(changes, "os"); !slices.Equal(got, []uplink.ChangeType{uplink.FactPut}) {
		t.Errorf("os: %v", got)
	}
}

func TestANewerProgramLetsGoWhatAnOlderOneHeldBack(t *testing.T) {
	dir := t.TempDir()
	s := guarded(t, dir, rulesWith(t))
	enrol(t, s)
	host := placed(t, s)
	put(t, s, host, fact("mixed", "", partial))
	put(t, s, host, discovery.Fact{Kind: "os", Version: 99, Body: []byte(`{}`), Hash: discovery.HashBody("os", 99, []byte(`{}`))})
	news, _ := since(t, s)
	if got := of(news, "mixed"); !slices.Equal(got, []uplink.ChangeType{uplink.Refusal}) {
		t.Errorf("mixed: %v", got)
	}
	if got := of(news, "os"); !slices.Equal(got, []uplink.ChangeType{uplink.FactGone, uplink.Refusal}) {
		t.Errorf("os: %v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	newer := mixed
	newer.Version = 1
	s = guarded(t, dir, rulesWith(t, newer))
	defer s.Close()
	retell(t, s)
	news, text := since(t, s)
	if got := of(news, "mixed"); !slices.Equal(got, []uplink.ChangeType{uplink.Refusal, uplink.FactPut}) {
		t.Errorf("mixed after the upgrade: %v", got)
	}
	if strings.Contains(text, "CANARY") {
		t.Error("the rack left")
	}
	for _, c := range news {
		if c.Type == uplink.Refusal && c.Kind == "mixed" && !c.Refusal.Cleared {
			t.Error("the problem stands")
		}
	}
}

func TestAProblemOfAHeldKindTellsNoWords(t *testing.T) {
	s := guarded(t, t.TempDir(), rulesWith(t))
	defer s.Close()
	enrol(t, s)
	host := placed(t, s)
	raise := func(kind string, reason wire.Reason, detail string) {
		do(t, s, func(tx *store.Tx) error {
			return tx.Raise(store.Problem{Host: host, Source: store.ByProbe, Kind: kind, Reason: reason, Detail: detail}, "db1", now)
		})
	}
	raise("switchport", wire.CollectFailed, "frame of CANARY-CHASSIS")
	raise("os", wire.CollectFailed, "no os-release")
	news, text := since(t, s)
	if strings.Contains(text, "CANARY") || !strings.Contains(text, "no os-release") {
		t.Errorf("%q", text)
	}
	if got := of(news, "switchport"); !slices.Equal(got, []uplink.ChangeType{uplink.Refusal}) {
		t.Errorf("%v", got)
	}
	raise("switchport", wire.MissingRight, "degraded: needs CAP_NET_RAW")
	if _, text := since(t, s); !strings.Contains(text, "CAP_NET_RAW") {
		t.Error("the right that is missing is not named")
	}
}

func TestAPreviewIsWhatLeaves(t *testing.T) {
	s := guarded(t, t.TempDir(), rulesWith(t, mixed))
	defer s.Close()
	enrol(t, s)
	since(t, s)
	host := placed(t, s)
	for _, f := range []discovery.Fact{fact("switchport", "", wired), fact("mixed", "", partial), fact("of-tomorrow", "1", `{}`), fact("os", "", `{"name":"debian"}`)} {
		put(t, s, host, f)
	}
	told, _ := since(t, s)
	bodies := map[string]string{}
	for _, c := range told {
		if c.Type == uplink.FactPut {
			bodies[c.Kind] = string(c.Body)
		}
	}
	p, err := s.Preview(context.Background(), store.Choice{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Records) != 3 || p.Records[0].Type != uplink.HostState || p.More {
		t.Fatalf("%+v", p)
	}
	for _, c := range p.Records[1:] {
		if bodies[c.Kind] != string(c.Body) {
			t.Errorf("%s leaves as %s, the preview shows %s", c.Kind, bodies[c.Kind], c.Body)
		}
	}
	want := []store.Held{
		{Kind: "mixed", Schema: 1, Extent: residency.Part, Facts: 1, Hosts: 1},
		{Kind: "of-tomorrow", Schema: 1, Extent: residency.Unknown, Facts: 1, Hosts: 1},
		{Kind: "switchport", Schema: 1, Extent: residency.Nothing, Facts: 1, Hosts: 1},
	}
	if !slices.Equal(p.Held, want) || len(p.Labels) != 1 || p.Labels["rack"] != 1 {
		t.Errorf("held: %+v, labels %v", p.Held, p.Labels)
	}
	if p, err = s.Preview(context.Background(), store.Choice{Limit: 1}); err != nil || len(p.Records) != 1 || !p.More {
		t.Errorf("a preview of one record has %d, more: %v, %v", len(p.Records), p.More, err)
	}
	p, err = s.Preview(context.Background(), store.Choice{Limit: 10, Host: host, Kind: "switchport"})
	if err != nil || len(p.Records) != 0 || len(p.Held) != 1 {
		t.Errorf("of switch ports: %+v, %v", p, err)
	}
	if p, err = s.Preview(context.Background(), store.Choice{Limit: 10, Host: tenancy.NewID[tenancy.HostID]()}); err != nil || len(p.Records)+len(p.Held) != 0 {
		t.Errorf("of a host that is not there: %+v, %v", p, err)
	}
}

func TestADecisionWakesTheSender(t *testing.T) {
	s := guarded(t, t.TempDir(), rulesWith(t))
	defer s.Close()
	enrol(t, s)
	acknowledge(t, s)
	select {
	case <-s.Appended():
	default:
	}
	order(t, s, 1, uplink.Policy{Residency: uplink.Replicate, Decided: 1})
	select {
	case <-s.Appended():
	default:
		t.Error("nobody is told that hosts are to be told of anew")
	}
}
