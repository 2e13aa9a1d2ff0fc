package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Download calls read with the body of an answer that may be long: it has no
// limit, but must not stand still for a quiet time.
func (c *Client) Download(ctx context.Context, path string, read func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	u := *c.base
	u.Path += path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("User-Agent", userAgent())
	req.Header.Set("Authorization", "Bearer "+c.token)
	stands := fmt.Errorf("nothing came for %s", standing)
	watchdog := time.AfterFunc(standing, func() { cancel(stands) })
	defer watchdog.Stop()
	res, err := (&http.Client{Transport: c.http.Transport}).Do(req) // without a limit of the whole
	if err != nil {
		return c.unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	body := &moving{res.Body, watchdog, nil}
	err = read(body)
	switch {
	case errors.Is(context.Cause(ctx), stands):
		return c.unreachable(stands)
	case body.broken != nil:
		return c.unreachable(body.broken)
	}
	return err
}

// standing is how long a download may stand still: the database may have to sort
// first.
const standing = 3 * time.Minute

// moving puts a watchdog off with every byte that comes, and remembers what broke
// the line.
type moving struct {
	io.Reader
	watchdog *time.Timer
	broken   error
}

func (m *moving) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if n > 0 {
		m.watchdog.Reset(standing)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		m.broken = err
	}
	return n, err
}
