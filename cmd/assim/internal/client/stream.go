package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// quiet is how long a live stream may say nothing: the service sends a sign of
// life every 15 s.
const quiet = time.Minute

// Stream opens the live stream and calls notice with the name of each of its
// events, first with Opened once changes will be heard of. It returns when the
// stream ends, always with an error, or when notice returns one.
func (c *Client) Stream(ctx context.Context, notice func(event string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	u := *c.base
	u.Path += "/v1/stream"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("User-Agent", userAgent())
	req.Header.Set("Authorization", "Bearer "+c.token)
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
	if err := notice(Opened); err != nil {
		return err
	}
	for lines.Scan() {
		watchdog.Reset(quiet)
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			if err := notice(name); err != nil {
				return err
			}
		}
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

var errQuiet = fmt.Errorf("nothing came over the live stream for %s", quiet)

// Opened is the notice that a stream is open.
const Opened = "opened"
