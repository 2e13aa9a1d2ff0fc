package collect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/redact"
	kind "assimilation/discovery/scripts"
)

// maxSaid bounds how much of a script's complaint is told, in bytes.
const maxSaid = 300

// basics is the environment of every script, beside its arguments: the probe's
// own may hold the probe's token.
var basics = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LANG=C.UTF-8", "LC_ALL=C.UTF-8"}

// agent is one script. It is comparable: a script that was edited, or whose
// arguments were, is another.
type agent struct {
	path, name        string
	interval, timeout time.Duration
	arguments         string // NAME=value, joined by line ends
	stamp             stamp
}

// stamp tells one content of a file from another, as far as stat(2) knows.
type stamp struct {
	device, inode             uint64
	size, modified, attribute int64
}

func (a agent) Kind() discovery.Kind { return kind.KindOf(a.name, a.interval, a.timeout) }

// Collect runs the script.
func (a agent) Collect(ctx context.Context) ([]discovery.Fact, error) {
	is := a.Kind()
	environment := append([]string{"ASSIM_KIND=" + is.Name, "ASSIM_NAME=" + a.name}, basics...)
	if a.arguments != "" {
		environment = append(environment, strings.Split(a.arguments, "\n")...)
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	output, complaint, err := run(ctx, a.path, environment)
	switch {
	case errors.Is(err, errTooMuch):
		return nil, &discovery.Invalid{Kind: is.Name, Why: fmt.Sprintf("%s printed more than %d bytes", a.path, kind.MaxOutput), TooLarge: true}
	case errors.Is(err, errHung):
		return nil, fmt.Errorf("%s did not end within %v and was killed", a.path, a.timeout)
	case err != nil:
		if said := said(complaint); said != "" {
			return nil, fmt.Errorf("%s %w: %s", a.path, err, said)
		}
		return nil, fmt.Errorf("%s %w", a.path, err)
	}
	body, err := decode(output)
	if err != nil {
		return nil, &discovery.Invalid{Kind: is.Name, Why: a.path + ": " + err.Error()}
	}
	fact, err := discovery.NewFact(is, "", body)
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, nil
}

// said is the last line of a complaint, without secrets.
func said(complaint string) string {
	return discovery.Clean(strings.Join(redact.Args(strings.Fields(lastLine(complaint))), " "), maxSaid)
}
