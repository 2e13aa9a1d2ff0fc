package store_test

import (
	"slices"
	"testing"

	"assimilation/discovery"
	"assimilation/relay/internal/store"
	"assimilation/uplink"
	"assimilation/wire"
)

// Scripts that were removed while their probe was down are not known to it any
// more: what they said goes when the roll of scripts comes.
func TestWhatScriptsSaidGoesWithThem(t *testing.T) {
	s := enrolled(t)
	host, other := addHost(t, s), addHost(t, s)
	removed, stays, roll := fact("x-removed", "", "1"), fact("x-stays", "", "1"), fact("scripts", "x-stays", "1")
	for _, f := range []discovery.Fact{removed, stays, roll, fact("scripts", "x-removed", "1"), fact("os", "", "1")} {
		put(t, s, host, f)
		put(t, s, other, f)
	}
	raise := func(kind, instance string) {
		do(t, s, func(tx *store.Tx) error {
			return tx.Raise(store.Problem{Host: host, Source: store.ByProbe, Kind: kind, Instance: instance, Reason: wire.CollectFailed, Detail: "why"}, "", now)
		})
	}
	raise("x-removed", "")
	raise("x-stays", "")
	raise("scripts", "Gone")
	raise("scripts", "Stays")
	raise("scripts", "")
	before := len(records(t, s))
	compare := func(kinds []string, listed ...discovery.Fact) (gone []string) {
		do(t, s, func(tx *store.Tx) error {
			_, went, err := tx.Compare(host, kinds, listed, now)
			for _, f := range went {
				gone = append(gone, f.Kind+"/"+f.Instance)
			}
			return err
		})
		slices.Sort(gone)
		return gone
	}
	if gone := compare([]string{"os"}, fact("os", "", "1")); gone != nil {
		t.Errorf("before the roll came, %v went", gone)
	}
	if gone := compare([]string{"scripts"}, roll, fact("scripts", "refused Stays", "1")); !slices.Equal(gone, []string{"scripts/x-removed", "x-removed/"}) {
		t.Errorf("with the roll went %v", gone)
	}
	var told []string
	for _, c := range records(t, s)[before:] {
		switch {
		case c.Host != host:
			t.Errorf("told of another host: %+v", c)
		case c.Type == uplink.FactGone:
			told = append(told, "gone "+c.Kind+"/"+c.Instance)
		case c.Type == uplink.Refusal && c.Refusal.Cleared:
			told = append(told, "cleared "+c.Kind+"/"+c.Instance)
		default:
			t.Errorf("told %+v", c)
		}
	}
	slices.Sort(told)
	if want := []string{"cleared scripts/Gone", "cleared x-removed/", "gone scripts/x-removed", "gone x-removed/"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	if gone := compare([]string{"scripts"}); !slices.Equal(gone, []string{"scripts/x-stays", "x-stays/"}) {
		t.Errorf("with the last script went %v", gone)
	}
}
