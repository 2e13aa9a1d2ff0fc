package limit

import (
	"net/netip"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	now := time.Unix(1000, 0)
	table := NewTable[string](time.Second, 2, 100)
	for i, step := range []struct {
		key   string
		after time.Duration
		want  bool
	}{
		{"a", 0, true}, {"a", 0, true}, {"a", 0, false}, {"b", 0, true},
		{"a", 900 * time.Millisecond, false}, {"a", time.Second, true}, {"a", time.Second, false},
	} {
		if got := table.Allow(step.key, now.Add(step.after)); got != step.want {
			t.Errorf("step %d, key %s: %v", i, step.key, got)
		}
	}
}

func TestAFloodOfKeysDoesNotGrow(t *testing.T) {
	const max = 64
	now := time.Unix(1000, 0)
	table := NewTable[int](time.Hour, 1, max)
	for i := range 100_000 {
		table.Allow(i, now)
		table.Allow(-1, now) // in use all the time
	}
	if held := len(table.young) + len(table.old); held > 2*max {
		t.Errorf("%d keys are held, at most %d may be", held, 2*max)
	}
	if table.Allow(-1, now) {
		t.Error("the flood made the table forget a key in use")
	}
}

func TestSource(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1", "2001:db8:1:2:3::4": "2001:db8:1:2::", "fe80::1%eth0": "fe80::",
	} {
		if got := Source(netip.MustParseAddr(in)); got != netip.MustParseAddr(want) {
			t.Errorf("Source(%s) is %s, want %s", in, got, want)
		}
	}
	if got := Source(netip.Addr{}); got.IsValid() {
		t.Errorf("Source of no address is %s", got)
	}
}
