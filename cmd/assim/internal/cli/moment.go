package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// moment is a flag that holds a time, as people say it:
//
//	90s, 30m, 2h, 3d, 1w      so long ago
//	now, today, yesterday     today and yesterday begin at midnight, here
//	2026-01-31, "2026-01-31 15:04", 15:04    here; a time of day is the last one
//	2026-01-31T15:04:05Z      RFC 3339
type moment struct {
	at   time.Time // zero: not given
	text string
}

// momentHelp ends the description of every such flag.
const momentHelp = ": 2h, 3d, yesterday, \"2006-01-02 15:04\" or RFC 3339"

// String implements pflag.Value, as do the other two.
func (m *moment) String() string { return m.text }

// Type names the sort of value in help.
func (m *moment) Type() string { return "time" }

// Set reads a time.
func (m *moment) Set(text string) error {
	at, err := parseMoment(text, time.Now())
	if err != nil {
		return err
	}
	m.at, m.text = at, text
	return nil
}

// query is the time as the API takes it; "" where none was given.
func (m *moment) query() string {
	if m.at.IsZero() {
		return ""
	}
	return m.at.UTC().Format(time.RFC3339Nano)
}

var ago = regexp.MustCompile(`^(\d{1,9})([smhdw])$`)

// units of a time ago. Days have 24 hours.
var units = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

func parseMoment(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if m := ago.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || n > int64(100*365*24*time.Hour/units[m[2]]) {
			return time.Time{}, fmt.Errorf("%q is longer than a century ago", text)
		}
		return now.Add(-time.Duration(n) * units[m[2]]), nil
	}
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 { // as 1h30m
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse("15:04", text); err == nil {
		at := midnight.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute)
		if at.After(now) {
			at = at.AddDate(0, 0, -1)
		}
		return at, nil
	}
	return time.Time{}, fmt.Errorf("%q is no time such as 2h, 3d, yesterday, 2006-01-02, \"2006-01-02 15:04\" or 2006-01-02T15:04:05Z", text)
}
