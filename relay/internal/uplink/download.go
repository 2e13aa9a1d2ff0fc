package uplink

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// downloadTime bounds a file of some MB on a slow line.
const downloadTime = 30 * time.Minute

// Download asks for a file that relays hand out. Nobody vouches for what comes: the
// caller knows its checksum.
func (c *Client) Download(ctx context.Context, name string) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, downloadTime)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/download/"+url.PathEscape(name), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		defer cancel()
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, maxText)) // what came is all there is to say
		return nil, &StatusError{answer.StatusCode, plain(text), retryAfter(answer.Header.Get("Retry-After"))}
	}
	return &download{answer.Body, cancel}, nil
}

type download struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (d *download) Close() error {
	d.cancel()
	return d.ReadCloser.Close()
}
