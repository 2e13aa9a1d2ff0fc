package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"reflect"
	"testing"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

func verdictOf(n uint32, kind uplink.VerdictKind, hosts ...tenancy.HostID) uplink.VerdictBody {
	id := make([]byte, 16)
	binary.BigEndian.PutUint32(id, n)
	return uplink.VerdictBody{ID: id, Kind: kind, Hosts: hosts, Since: now - 3000, At: now, Confidence: 90,
		Evidence: []uplink.Evidence{{Kind: uplink.MissedBeats, At: now, By: tenancy.NewID[tenancy.HostID](), Age: 2600}}}
}

func over(v uplink.VerdictBody, at int64) uplink.VerdictBody {
	v.Over, v.Ending = at, "back"
	return v
}

func save(t *testing.T, s *store.Store, v uplink.VerdictBody) {
	t.Helper()
	do(t, s, func(tx *store.Tx) error { return tx.SaveVerdict(v, now) })
}

func stateOf(t *testing.T, s *store.Store, id tenancy.HostID) (state uplink.State) {
	t.Helper()
	do(t, s, func(tx *store.Tx) error {
		h, _, err := tx.Host(id)
		state = h.State
		return err
	})
	return state
}

func TestAVerdictMakesTheStatesOfItsHosts(t *testing.T) {
	s := open(t, t.TempDir())
	enrol(t, s)
	first, second := addHost(t, s), addHost(t, s)
	v := verdictOf(1, uplink.SwitchDown, first)
	save(t, s, v)
	if got := stateOf(t, s, first); got != uplink.Unreachable {
		t.Errorf("the host is %q", got)
	}
	do(t, s, func(tx *store.Tx) error { return tx.SetState(first, uplink.Up, "heard again", now) })
	v.Hosts = append(v.Hosts, second)
	save(t, s, v)
	if a, b := stateOf(t, s, first), stateOf(t, s, second); a != uplink.Up || b != uplink.Unreachable {
		t.Errorf("after it grew the hosts are %q and %q: only the new one changes", a, b)
	}
	save(t, s, over(v, now+1))
	var told []string
	for _, c := range records(t, s) {
		if c.Type == uplink.Verdict {
			told = append(told, c.Verdict.Ending)
		}
	}
	if want := []string{"", "", "back"}; !reflect.DeepEqual(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	open, err := s.OpenVerdicts(context.Background())
	if err != nil || len(open) != 0 {
		t.Errorf("still open: %v, %v", open, err)
	}
}

func TestOldVerdictsAreForgotten(t *testing.T) {
	s := open(t, t.TempDir())
	enrol(t, s)
	standing := verdictOf(9999, uplink.HostDown)
	save(t, s, standing)
	const extra = 5
	for n := range uint32(1000 + extra) {
		save(t, s, over(verdictOf(n, uplink.HostDown), now+int64(n)))
	}
	all, err := s.Verdicts(context.Background(), 2000)
	if err != nil || len(all) != 1001 {
		t.Fatalf("%d verdicts are kept, %v", len(all), err)
	}
	if !reflect.DeepEqual(all[0], standing) {
		t.Errorf("first comes %+v", all[0])
	}
	for _, v := range all {
		if v.Over != 0 && v.Over < now+extra {
			t.Errorf("one that ended at %d is kept", v.Over)
		}
	}
}

func TestStandingVerdictsAreToldAfterAnEpochChange(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	enrol(t, s)
	host := addHost(t, s)
	standing, gone := verdictOf(1, uplink.HostDown, host), verdictOf(2, uplink.HostDown, host)
	save(t, s, standing)
	save(t, s, gone)
	save(t, s, over(gone, now+5))
	do(t, s, func(tx *store.Tx) error { return tx.Acknowledge(s.Head().Last) })
	do(t, s, func(tx *store.Tx) error {
		if err := tx.Restart(s.Head().Relay, now); err != nil {
			return err
		}
		_, err := tx.Resync(10, now)
		return err
	})
	var told [][]byte
	for _, c := range records(t, s) {
		if c.Type == uplink.Verdict {
			told = append(told, c.Verdict.ID)
		}
	}
	if len(told) != 1 || !bytes.Equal(told[0], standing.ID) {
		t.Errorf("told %x, want %x", told, standing.ID)
	}
}

func TestOrdersBringSecretAndPolicy(t *testing.T) {
	s := open(t, t.TempDir())
	enrol(t, s)
	identity := func() store.Identity {
		t.Helper()
		id, _, err := s.Identity(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	own := identity()
	if len(own.OwnSecret) != 32 || own.SiteSecret != nil || !bytes.Equal(own.DomainSecret(), own.OwnSecret) {
		t.Fatalf("before orders: own %x, site %x", own.OwnSecret, own.SiteSecret)
	}
	secret := bytes.Repeat([]byte{7}, 32)
	policy := uplink.Policy{Beat: 2000, Residency: uplink.Replicate, Places: map[string]string{"rack=7": "room 1"}}
	apply := func(o uplink.Orders) {
		t.Helper()
		do(t, s, func(tx *store.Tx) error { _, err := tx.ApplyOrders(o, now); return err })
	}
	apply(uplink.Orders{Revision: 1, SiteSecret: secret, Policy: policy})
	if id := identity(); !bytes.Equal(id.DomainSecret(), secret) || !reflect.DeepEqual(id.Policy, policy) {
		t.Errorf("after orders: %x, %+v", id.SiteSecret, id.Policy)
	}
	apply(uplink.Orders{Revision: 2})
	if id := identity(); !bytes.Equal(id.SiteSecret, secret) || !reflect.DeepEqual(id.Policy, uplink.Policy{}) {
		t.Errorf("after orders without them: %x, %+v", id.SiteSecret, id.Policy)
	}
}
