package accounts

import (
	"fmt"
	"testing"
	"time"
)

// A stranger with as many addresses as they like tries an account all day: the
// one it belongs to comes in from where they are known, at once and at any time.
func TestAStrangerLocksNobodyOut(t *testing.T) {
	tries := newTries()
	now := time.Unix(1_800_000_000, 0)
	let := 0
	for i := range 24 * 60 {
		for j := range 10 {
			if tries.allow("ada@example.org", fmt.Sprintf("203.0.113.%d/%d", j, i), false, now) {
				let++
			}
		}
		if !tries.allow("ada@example.org", "192.0.2.1", true, now) {
			t.Fatalf("ada is locked out after %d minutes", i)
		}
		tries.right("ada@example.org", "192.0.2.1")
		now = now.Add(time.Minute)
	}
	if most := strangersTries + 24*60; let > most {
		t.Errorf("strangers tried %d times in a day, want at most %d", let, most)
	}
}

// A flood from more addresses than are remembered shuts nobody out either.
func TestAFloodLocksNobodyOut(t *testing.T) {
	tries := newTries()
	now := time.Unix(1_800_000_000, 0)
	for i := range limiterKeys + 10 {
		tries.allow(fmt.Sprint("account ", i), fmt.Sprint(i), false, now)
	}
	if !tries.allow("ada@example.org", "192.0.2.1", true, now) || !tries.allow("ada@example.org", "192.0.2.2", false, now) {
		t.Error("ada is locked out by a flood of tries of other accounts")
	}
}

func TestTheWaitDoubles(t *testing.T) {
	tries := newTries()
	now := time.Unix(1_800_000_000, 0)
	var waits []time.Duration
	for range 18 {
		waited := time.Duration(0)
		for !tries.allow("ada", "a", true, now) {
			now = now.Add(time.Second)
			waited += time.Second
		}
		waits = append(waits, waited)
	}
	for i, w := range waits {
		want := time.Duration(0)
		if i >= freeTries {
			want = min(firstDelay<<(i-freeTries), maxDelay)
		}
		if w != want {
			t.Errorf("before try %d: %v, want %v", i+1, w, want)
		}
	}
	if !tries.allow("ada", "b", true, now) || !tries.allow("bob", "a", true, now) {
		t.Error("another address, or another account, waits, too")
	}
	tries.right("ada", "a")
	if !tries.allow("ada", "a", true, now) {
		t.Error("after the right password there is a wait")
	}
}

func TestDevice(t *testing.T) {
	for agent, want := range map[string]string{
		"": "unknown",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":             "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604": "Safari on iPhone",
		"curl/8.5.0":                        "curl",
		"something\xffelse that is unknown": "somethingelse that is unknown",
	} {
		if got := device(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}
