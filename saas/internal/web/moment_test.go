package web

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	for text, want := range map[string]time.Time{
		"": {}, "2026-01-31T12:00:00Z": time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), "2026-01-31T12:00:05": time.Date(2026, 1, 31, 12, 0, 5, 0, time.UTC),
		"2026-01-31T12:00": time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), "2026-01-31T12:00:00+02:00": time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC),
	} {
		if at, err := Moment(text); err != nil || !at.Equal(want) {
			t.Errorf("%q is %v, %v", text, at, err)
		}
	}
	for _, text := range []string{"noon", "2026-01-31", "2026-13-01T00:00:00Z"} {
		if _, err := Moment(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
