package web_test

import (
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"assimilation/saas/internal/web"
)

func TestLimiter(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l := web.NewLimiter(time.Second, 3, 100)
	for i := range 5 {
		if got, want := l.Allow("a", now), i < 3; got != want {
			t.Errorf("try %d at once: %v, want %v", i, got, want)
		}
	}
	if !l.Allow("b", now) {
		t.Error("another key has its own allowance")
	}
	if !l.Allow("a", now.Add(time.Second)) || l.Allow("a", now.Add(time.Second)) {
		t.Error("want one more after a second")
	}
}

func TestLimiterUnderAFloodOfKeys(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l := web.NewLimiter(time.Second, 2, 10)
	l.Allow("known", now)
	allowed := 0
	for i := range 1000 {
		if l.Allow(strconv.Itoa(i), now) {
			allowed++
		}
	}
	if allowed > 9+2 {
		t.Errorf("%d invented keys got through, want the free places and one shared allowance", allowed)
	}
	if !l.Allow("known", now) {
		t.Error("the flood took a known key's allowance")
	}
	later := now.Add(time.Minute)
	for i := range 5 {
		if !l.Allow("later "+strconv.Itoa(i), later) {
			t.Error("stale keys were not forgotten")
		}
	}
}

func TestClientKey(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:4711": "192.0.2.1", "[2001:db8:1:2:3::4]:4711": "2001:db8:1:2::/64", "[2001:db8:1:2:ffff::4]:1": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1": "fe80::/64", "[::ffff:192.0.2.1]:1": "::ffff:192.0.2.1", "@": "@",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = address
		if got := web.ClientKey(r); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
