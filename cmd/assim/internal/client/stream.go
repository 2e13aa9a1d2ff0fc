package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// quiet is how long a live stream may say nothing: the service sends a sign of
	// life every 15 s.
	quiet = time.Minute
	// maxLine bounds a line of a stream, in bytes.
	maxLine = 1 << 20
)

// Event is one server-sent event.
type Event struct {
	ID   string // of the last event that had one
	Name string // "" where none is given
	Data string
}

// Stream opens a live stream and calls heard for each of its events, and for each id
// that comes without data: an event without it. last is the id after which the
// stream goes on, or "". It returns when the stream ends, always with an error, or
// when heard returns one.
func (c *Client) Stream(ctx context.Context, path string, query url.Values, last string, heard func(Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	u := *c.base
	u.Path += path
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("User-Agent", userAgent())
	req.Header.Set("Authorization", "Bearer "+c.token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	watchdog := time.AfterFunc(quiet, func() { cancel(errQuiet) })
	defer watchdog.Stop()
	res, err := (&http.Client{Transport: c.http.Transport}).Do(req) // without a limit of the whole
	if err != nil {
		return c.unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxLine)
	event := Event{ID: last}
	for lines.Scan() {
		watchdog.Reset(quiet)
		if lines.Text() != "" {
			event.read(lines.Text())
			continue
		}
		if err := heard(event); err != nil {
			return err
		}
		event = Event{ID: event.ID}
	}
	err = lines.Err()
	switch {
	case context.Cause(ctx) == errQuiet:
		err = errQuiet
	case err == nil:
		err = errors.New("the live stream ended")
	}
	return c.unreachable(err)
}

// read takes a line of an event in; comments and fields of no interest are skipped.
func (e *Event) read(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "id":
		e.ID = value
	case "event":
		e.Name = value
	case "data":
		if e.Data != "" {
			e.Data += "\n"
		}
		e.Data += value
	}
}

var errQuiet = fmt.Errorf("nothing came over the live stream for %s", quiet)
