package store_test

import (
	"context"
	"crypto/ed25519"
	"slices"
	"testing"

	"assimilation/relay/internal/store"
	"assimilation/uplink"
	"assimilation/wire"
)

// siteKeyOf is one key of a site, by its number.
func siteKeyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), n))
}

func publicKey(n byte) [32]byte { return [32]byte(siteKeyOf(n).Public().(ed25519.PublicKey)) }

// follows is a statement in orders: newest follows former.
func follows(sequence uint64, newest, former byte, alone bool) uplink.Orders {
	s := wire.KeyStatement{Sequence: sequence, Alone: alone, Newest: publicKey(newest), Former: publicKey(former)}
	return uplink.Orders{SiteKeys: s.Sign(siteKeyOf(newest), siteKeyOf(former)).Append(nil), Certificate: []byte{newest}}
}

func TestOrdersReplaceTheSitesKey(t *testing.T) {
	s := open(t, t.TempDir())
	t.Cleanup(func() { s.Close() })
	first := publicKey(1)
	enrolBy(t, s, first[:])
	for _, c := range []struct {
		what   string
		orders uplink.Orders
		want   []byte // keys trusted then
		next   []byte
		fails  bool
	}{
		{"nothing of keys", uplink.Orders{}, []byte{1}, nil, false},
		{"the next", func() uplink.Orders {
			o := follows(1, 2, 1, false)
			o.NextCertificate, o.NextRevocation = []byte{22}, nil
			return o
		}(), []byte{2, 1}, []byte{22}, false},
		{"a stranger's", follows(2, 9, 8, false), []byte{2, 1}, []byte{22}, true},
		{"the end of the first", follows(2, 2, 1, true), []byte{2}, nil, false},
		{"a replay of the beginning", follows(1, 2, 1, false), []byte{2}, nil, false},
		{"the first, which wants to come back", follows(3, 1, 9, false), []byte{2}, nil, true},
	} {
		err := s.Do(context.Background(), func(tx *store.Tx) error { _, err := tx.ApplyOrders(c.orders, now); return err })
		if (err != nil) != c.fails {
			t.Errorf("%s: %v", c.what, err)
		}
		id, _, err := s.Identity(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var want wire.Keys
		for _, n := range c.want {
			want = append(want, publicKey(n))
		}
		if keys, _ := id.TrustedKeys(); !slices.Equal(keys, want) || !slices.Equal(id.Enrolment.NextCertificate, c.next) {
			t.Errorf("after %s trusted: %x, next certificate %x", c.what, keys, id.Enrolment.NextCertificate)
		}
	}
}

func TestWhatAHostKnowsOfTheSitesKeysIsToldOnce(t *testing.T) {
	s := enrolled(t)
	id := addHost(t, s)
	before := len(records(t, s))
	for range 2 {
		do(t, s, func(tx *store.Tx) error { return tx.KnowsSiteKeys(id, 3, now) })
	}
	told := records(t, s)[before:]
	if len(told) != 1 || told[0].HostState == nil || told[0].HostState.SiteKeys != 3 || told[0].HostState.Name == "" {
		t.Fatalf("told %+v", told)
	}
	do(t, s, func(tx *store.Tx) error {
		_, _, err := tx.Greet(id, store.Greeting{Name: "db1", SiteKeys: 1}, now+1)
		return err
	})
	told = records(t, s)[before:]
	if len(told) != 2 || told[1].HostState.SiteKeys != 1 {
		t.Errorf("of a host that has forgotten it told %+v", told)
	}
}
