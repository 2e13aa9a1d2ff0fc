package collect

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	kind "assimilation/discovery/scripts"
)

// Limits of a script's conf file.
const (
	maxConf      = 16 << 10 // bytes
	maxArguments = 32
	maxArgument  = 4 << 10 // bytes of name and value
)

const argumentPrefix = "ASSIM_"

// reserved arguments are set by the probe.
var reserved = []string{"ASSIM_KIND", "ASSIM_NAME"}

// conf is what NAME.conf says of the script NAME.
type conf struct {
	interval, timeout time.Duration
	arguments         []string // ASSIM_NAME=value
}

// parseConf reads lines of NAME=VALUE: interval and timeout as durations, and the
// script's arguments, whose names begin with ASSIM_. A value is the rest of its
// line, without quoting. Lines that begin with "#" are comments.
func parseConf(text string) (conf, error) {
	c := conf{interval: kind.DefaultInterval, timeout: kind.DefaultTimeout}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, value, assigned := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		var err error
		switch {
		case !assigned:
			err = fmt.Errorf("is not NAME=VALUE")
		case name == "interval":
			c.interval, err = within(value, kind.MinInterval, kind.MaxInterval)
		case name == "timeout":
			c.timeout, err = within(value, kind.MinTimeout, kind.MaxTimeout)
		case strings.HasPrefix(name, argumentPrefix):
			err = c.argument(name, value)
		default:
			err = fmt.Errorf("sets neither interval nor timeout nor an ASSIM_ argument")
		}
		if err != nil { // the text itself may hold a secret
			return conf{}, fmt.Errorf("line %d %w", n, err)
		}
	}
	return c, nil
}

func within(text string, low, high time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < low || d > high {
		return 0, fmt.Errorf("is no duration from %v to %v", low, high)
	}
	return d.Truncate(time.Second), nil
}

func (c *conf) argument(name, value string) error {
	switch {
	case strings.Trim(name[len(argumentPrefix):], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "":
		return fmt.Errorf("has an argument whose name is not ASSIM_ and A-Z, 0-9 or _")
	case slices.Contains(reserved, name):
		return fmt.Errorf("sets %s, which the probe sets", name)
	case len(c.arguments) == maxArguments:
		return fmt.Errorf("is argument %d, at most %d are taken", maxArguments+1, maxArguments)
	case len(name)+len(value) > maxArgument || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("has a value that is not plain text of at most %d bytes", maxArgument)
	}
	c.arguments = append(c.arguments, name+"="+value)
	return nil
}
