package truth

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	clock "assimilation/discovery/time"
)

// readClock asks for the zone, and what chrony understands of its files.
func readClock(r Reading) error {
	if target, err := output("readlink", "-f", "/etc/localtime"); err == nil {
		if _, zone, ok := strings.Cut(strings.TrimSpace(target), "/zoneinfo/"); ok {
			r.Must.add(Clock, "zone "+zone)
		}
	}
	lines, err := output("sed", "-n", "3p", "/etc/adjtime")
	if err == nil && strings.TrimSpace(lines) != "" {
		r.Must.add(Clock, "hardware clock "+strings.TrimSpace(lines))
	}
	out, err := optional("chronyd", "-p")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) > 1 && slices.Contains([]string{"server", "pool", "peer", "refclock"}, words[0]) {
			r.Must.add(Clock, "chrony "+strings.Join(words, " "))
		}
	}
	if _, err := os.Stat("/etc/systemd/timesyncd.conf"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if out, err = awk(`/^(NTP|FallbackNTP)=/ { split($0, a, "="); n = split(a[2], s, " "); for (i = 1; i <= n; i++) print a[1], s[i] }`, "/etc/systemd/timesyncd.conf"); err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		kind, address, _ := strings.Cut(strings.TrimSpace(line), " ")
		r.Must.add(Clock, "timesyncd "+map[string]string{"NTP": "server ", "FallbackNTP": "fallback "}[kind]+address)
	}
	return nil
}

func serviceClock(assim, host string, r Records) error {
	facts, err := bodies[clock.Facts](assim, host, clock.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		if f.Zone != "" {
			r.add(Clock, "zone "+f.Zone)
		}
		if f.HardwareClock != "" {
			r.add(Clock, "hardware clock "+f.HardwareClock)
		}
		for _, s := range f.Sources {
			r.add(Clock, strings.TrimSpace(s.Daemon+" "+s.Type+" "+s.Address+" "+s.Options))
		}
	}
	return nil
}
