package ui

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// Ago says how long ago, or in how long, in words as the script does.
func Ago(t, now time.Time) string {
	d := now.Sub(t)
	say := func(n int64, unit string) string {
		if d < 0 {
			return fmt.Sprintf("in %d %s", n, unit)
		}
		return fmt.Sprintf("%d %s ago", n, unit)
	}
	switch s := int64(d.Abs().Seconds()); {
	case s < 5:
		return "now"
	case s < 60:
		return say(s, "s")
	case s < 3600:
		return say(s/60, "min")
	case s < 2*86400:
		return say(s/3600, "h")
	default:
		return say(s/86400, "days")
	}
}

// ToneOf colours the state of a host, a token or a relay.
func ToneOf(state string) Tone {
	switch state {
	case "up", "valid", "connected":
		return Good
	case "silent", "expired", "used up", "agent down", "unresponsive", "unknown":
		return Warn
	case "revoked", "down", "unreachable":
		return Bad
	}
	return Idle
}

// LabelText is name=value pairs in one line, by name.
func LabelText(labels map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, name+"="+labels[name])
	}
	return strings.Join(pairs, ", ")
}

// Count is a number with its noun: "1 host", "2 hosts".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// Size is a number of bytes for people.
func Size(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	case bytes < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}

// FormTime is a time as the field of a form takes it, in UTC; nothing for zero.
func FormTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05")
}

// Moment is something that happened, for a list of what several features know.
type Moment struct {
	At  time.Time
	Row templ.Component // one <li> of a list of class timeline
}
