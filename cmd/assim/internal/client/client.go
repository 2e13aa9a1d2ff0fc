// Package client speaks to the service's REST API.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"assimilation/api"
)

// Client is one account at one service.
type Client struct {
	// API has a method for each operation; read what it returns by Of.
	API *api.Client

	base  *url.URL
	token string
	http  *http.Client
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 256 << 20

// New returns a client for the service at base; token may be empty for the
// calls that need none.
func New(base, token string) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a service; expected https://host[:port]", base)
	}
	c := &Client{base: u, token: token, http: &http.Client{Timeout: 5 * time.Minute}}
	c.API, err = api.NewClient(u.String(), api.WithHTTPClient(sender{c}))
	return c, err
}

// Problem is a refusal by the service (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Code   string `json:"code"` // names the sort of problem; texts may be reworded
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

func (p *Problem) Error() string {
	parts := []string{p.Title}
	if p.Detail != "" && p.Detail != p.Title {
		parts = append(parts, p.Detail)
	}
	for _, e := range p.Errors {
		parts = append(parts, strings.TrimSpace(e.Location+" "+e.Message))
	}
	return strings.Join(parts, ": ")
}

// Unreachable reports that no answer came at all.
type Unreachable struct {
	URL string
	Err error
}

func (u *Unreachable) Error() string { return fmt.Sprintf("no answer from %s: %v", u.URL, u.Err) }
func (u *Unreachable) Unwrap() error { return u.Err }

// Do sends in (nil: no body) as JSON and decodes the answer into out (nil: it
// is dropped). A refusal is a *Problem, no answer an *Unreachable.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	return Of(c.send(ctx, method, path, query, in)).Into(out)
}

// Raw fetches what is not JSON.
func (c *Client) Raw(ctx context.Context, path string, query url.Values) ([]byte, error) {
	answer := Of(c.send(ctx, http.MethodGet, path, query, nil))
	return answer.body, answer.err
}

// Clock asks whether the service can serve, and for its time.
func (c *Client) Clock(ctx context.Context) (time.Time, error) {
	answer := Of(c.send(ctx, http.MethodGet, "/readyz", nil, nil))
	if answer.err != nil {
		return time.Time{}, answer.err
	}
	clock, err := http.ParseTime(answer.header.Get("Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s does not tell its time: %w", c.base, err)
	}
	return clock, nil
}

// send makes a request for which the API's client has no method.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	u := *c.base
	u.Path += path
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return sender{c}.Do(req)
}

// sender sends requests as the account. A POST gets a name, under which the service
// does it once: so it is sent again, once, when it may have arrived and no answer
// came.
type sender struct{ *Client }

// Do is api.HttpRequestDoer's.
func (c sender) Do(req *http.Request) (*http.Response, error) {
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent())
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if req.Method != http.MethodPost || c.token == "" { // strangers' names are not kept
		return c.try(req)
	}
	req.Header.Set("Idempotency-Key", `"`+rand.Text()+`"`)
	answer, err := c.try(req)
	var lost *Unreachable
	if req.Context().Err() != nil || !errors.As(err, &lost) || !arrived(lost) {
		return answer, err
	}
	if req.GetBody != nil {
		if req.Body, err = req.GetBody(); err != nil {
			return nil, fmt.Errorf("sending the request again: %w", err)
		}
	}
	return c.try(req)
}

func (c sender) try(req *http.Request) (*http.Response, error) {
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return answer, nil
}

// arrived reports whether a request without an answer may have been heard.
func arrived(u *Unreachable) bool {
	var network *net.OpError
	return !errors.As(u.Err, &network) || network.Op != "dial"
}

func (c *Client) unreachable(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return &Unreachable{c.base.String(), err}
}

// refusal reads the problem that an answer holds.
func refusal(res *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil {
		body = nil // the status says enough
	}
	return problem(res, body)
}

// maxProblem bounds what is read of a refusal, in bytes.
const maxProblem = 1 << 20

// userAgent says which machine it is: a token made by a log in is listed by it.
func userAgent() string {
	host, err := os.Hostname()
	if err != nil {
		return "assim"
	}
	return "assim on " + host
}

func problem(res *http.Response, body []byte) error {
	p := &Problem{Status: res.StatusCode, Title: http.StatusText(res.StatusCode)}
	if media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); strings.HasSuffix(media, "json") {
		// A body that does not parse leaves the status text, which is enough.
		_ = json.Unmarshal(body, p)
	}
	return p
}

// Page is one answer of a list.
type Page struct {
	Items      []json.RawMessage `json:"items"`
	NextCursor string            `json:"next_cursor"`
	Columns    []string          `json:"columns"` // queries only
	Note       string            `json:"note"`    // queries only: what is missing, and why
}

// List reads a list to its end, or until it has limit items (0: all).
func (c *Client) List(ctx context.Context, path string, query url.Values, limit int) (Page, error) {
	var all Page
	q := url.Values{}
	for k, v := range query {
		q[k] = v
	}
	for {
		var page Page
		if err := c.Do(ctx, http.MethodGet, path, q, nil, &page); err != nil {
			return all, err
		}
		all.Items = append(all.Items, page.Items...)
		all.Columns, all.Note = page.Columns, page.Note
		if limit > 0 && len(all.Items) >= limit {
			all.Items = all.Items[:limit]
			return all, nil
		}
		if page.NextCursor == "" || len(page.Items) == 0 {
			return all, nil
		}
		q.Set("cursor", page.NextCursor)
	}
}
