package cli

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	rome := time.FixedZone("rome", 2*3600)
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, rome)
	for text, want := range map[string]string{
		"90s": "2026-05-06T05:06:39Z", "30m": "2026-05-06T04:38:09Z", "2h": "2026-05-06T03:08:09Z", "3d": "2026-05-03T05:08:09Z", "1w": "2026-04-29T05:08:09Z",
		"1h30m": "2026-05-06T03:38:09Z", "now": "2026-05-06T05:08:09Z", "today": "2026-05-05T22:00:00Z", "yesterday": "2026-05-04T22:00:00Z",
		"2026-01-31": "2026-01-30T22:00:00Z", "2026-01-31 15:04": "2026-01-31T13:04:00Z", "2026-01-31T15:04:05.5Z": "2026-01-31T15:04:05.5Z",
		"06:00": "2026-05-06T04:00:00Z", "23:00": "2026-05-05T21:00:00Z", " 2h ": "2026-05-06T03:08:09Z",
	} {
		got, err := parseMoment(text, now)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q is %s, %v; want %s", text, got.UTC().Format(time.RFC3339Nano), err, want)
		}
	}
	for _, text := range []string{"", "soon", "2x", "-2h", "999999999w", "25:00", "2026-13-01", "2026-01-31T15:04"} {
		if got, err := parseMoment(text, now); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

func FuzzMoment(f *testing.F) {
	for _, text := range []string{"2h", "3d", "yesterday", "2026-01-31 15:04", "15:04", "1h30m"} {
		f.Add(text)
	}
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if at, err := parseMoment(text, now); err == nil && ago.MatchString(text) && at.After(now) {
			t.Errorf("%q ago is %s", text, at)
		}
	})
}
