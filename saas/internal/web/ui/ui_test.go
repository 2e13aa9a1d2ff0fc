package ui

import (
	"strings"
	"testing"
	"time"
)

func TestAgo(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "now", 4 * time.Second: "now", 5 * time.Second: "5 s ago", 59 * time.Second: "59 s ago", time.Minute: "1 min ago",
		59*time.Minute + 59*time.Second: "59 min ago", time.Hour: "1 h ago", 47 * time.Hour: "47 h ago", 48 * time.Hour: "2 days ago", 900 * time.Hour: "37 days ago",
		-time.Minute: "in 1 min", -30 * 24 * time.Hour: "in 30 days", -2 * time.Second: "now",
	} {
		if got := Ago(now.Add(-d), now); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestSizeAndCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_234_567: "1.2 MB", 100_000_000_000: "100.0 GB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if Count(1, "host", "hosts") != "1 host" || Count(0, "host", "hosts") != "0 hosts" {
		t.Error("one and many are mixed up")
	}
}

// TestAssetsStayHere holds the style and the script to the policy: nothing of
// another host, and nothing that evaluates text.
func TestAssetsStayHere(t *testing.T) {
	for name, asset := range Assets() {
		body := strings.ReplaceAll(string(asset.Body), "http://www.w3.org/2000/svg", "")
		forbidden := []string{"//cdn", "eval(", "innerHTML", "document.write", "new Function", "@import", "importScripts"}
		if name != drawer { // the library's licence and comments name addresses
			forbidden = append(forbidden, "http:", "https:")
		}
		for _, bad := range forbidden {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", name, bad)
			}
		}
		if !strings.Contains(asset.Path, strings.Trim(asset.ETag, `"`)) || asset.Type == "" {
			t.Errorf("%s: %q with tag %s and type %q", name, asset.Path, asset.ETag, asset.Type)
		}
	}
}

// TestThemesAgree: the dark tokens stand twice, for the system's wish and for
// the person's.
func TestThemesAgree(t *testing.T) {
	css := string(Assets()[style].Body)
	block := func(selector string) string {
		_, after, ok := strings.Cut(css, selector+" {")
		if !ok {
			t.Fatalf("no %s", selector)
		}
		inside, _, _ := strings.Cut(after, "}")
		return strings.Join(strings.Fields(inside), " ")
	}
	if system, chosen := block(`:root:not([data-theme="light"])`), block(`:root[data-theme="dark"]`); system != chosen {
		t.Errorf("the dark themes differ:\n%s\n%s", system, chosen)
	}
}
