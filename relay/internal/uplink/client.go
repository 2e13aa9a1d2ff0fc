package uplink

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"assimilation/relay/internal/store"
	"assimilation/uplink"
	"assimilation/wire"
)

// Limits of one request.
const (
	connectTime = 10 * time.Second
	requestTime = 60 * time.Second // without the wait of a long poll
	maxAnswer   = 8 << 20          // orders may list tens of thousands of tokens
	maxText     = 200              // bytes of an answer in the clear that an error repeats
)

// StatusError is an answer in the clear. It is not authentic: anybody on the
// way may have given it, so it delays and never decides.
type StatusError struct {
	Code  int
	Text  string        // a reason's name, when it is the service that speaks
	After time.Duration // Retry-After; 0: not said
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the service answered %d %s: %s", e.Code, http.StatusText(e.Code), e.Text)
}

// Client speaks to one service. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a client of the service at a base URL. Proxies are those of
// the environment, root certificates those of the system.
func NewClient(base string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%.255q is not the URL of a service", base)
	}
	return &Client{
		base: strings.TrimRight(u.String(), "/"),
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           (&net.Dialer{Timeout: connectTime, KeepAlive: 30 * time.Second}).DialContext,
				TLSHandshakeTimeout:   connectTime,
				ForceAttemptHTTP2:     true,
				MaxIdleConns:          4,
				IdleConnTimeout:       2 * time.Minute,
				ResponseHeaderTimeout: requestTime,
			},
			// The one host that the firewall opened is the one that is asked.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) do(ctx context.Context, method, path string, body []byte, limit time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, maxText)) // what came is all there is to say
		return nil, &StatusError{answer.StatusCode, plain(text), retryAfter(answer.Header.Get("Retry-After"))}
	}
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(content) > maxAnswer {
		return nil, fmt.Errorf("the answer exceeds %d bytes", maxAnswer)
	}
	return content, nil
}

// plain makes a stranger's text fit for a log.
func plain(text []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(text), "?")))
}

// retryAfter reads the form in seconds (RFC 9110, 10.2.3), bounded.
func retryAfter(value string) time.Duration {
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestRetryAfter)
}

// Service is the service as an enrolled relay reaches it.
type Service struct {
	*Client
	id  store.Identity
	now func() time.Time
	// tenantKey starts as that of id, and orders replace it.
	tenantKey atomic.Pointer[uplink.SealKey]
	// siteKeys start as those of id, and orders replace them.
	siteKeys atomic.Pointer[siteKeys]
}

// siteKeys are those by which the service may sign.
type siteKeys struct {
	keys     wire.Keys
	sequence uint64 // of the statement that says so
}

// NewService makes the service that identity is enrolled at.
func NewService(id store.Identity) (*Service, error) {
	client, err := NewClient(id.Enrolment.URL)
	if err != nil {
		return nil, err
	}
	s := &Service{Client: client, id: id, now: time.Now}
	s.tenantKey.Store(&id.Enrolment.TenantKey)
	keys, sequence := id.TrustedKeys()
	s.siteKeys.Store(&siteKeys{keys, sequence})
	return s, nil
}

// follow returns the keys to trust after a statement in orders; empty, or one that is
// known: those that are.
func (s *Service) follow(encoded []byte) (*siteKeys, error) {
	now := s.siteKeys.Load()
	if len(encoded) == 0 {
		return now, nil
	}
	statement, err := wire.ParseKeyStatement(encoded)
	if err != nil || statement.Sequence <= now.sequence {
		return now, err
	}
	keys, err := now.keys.Extend(statement)
	return &siteKeys{keys, statement.Sequence}, err
}

// sealTo seals what is sent from now on to another key of the tenant; empty: to the
// same.
func (s *Service) sealTo(encoded []byte) error {
	if len(encoded) == 0 {
		return nil
	}
	key, err := uplink.ParseSealKey(encoded)
	if err == nil {
		s.tenantKey.Store(&key)
	}
	return err
}

// exchange seals payload, posts it, and opens the answer.
func (s *Service) exchange(ctx context.Context, path string, h uplink.Header, payload []byte, limit time.Duration) ([]byte, error) {
	h.Relay, h.SentAt, h.Nonce = s.id.Enrolment.Relay, s.now().UnixMilli(), uplink.NewNonce()
	envelope, err := uplink.Seal(h, payload, *s.tenantKey.Load(), s.id.Keys.Sign)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	answer, err := s.do(ctx, http.MethodPost, path, envelope, limit)
	if err != nil {
		return nil, err
	}
	var header uplink.Header
	var opened []byte
	err = s.siteKeys.Load().keys.Verified(func(key ed25519.PublicKey) (err error) {
		header, opened, err = uplink.Open(answer, h.Purpose+1, s.id.Keys.Seal, key)
		return err
	})
	if err != nil && wire.ReasonOf(err) == wire.BadSignature {
		return nil, fmt.Errorf("opening the answer: %w; if the site's key was replaced while this relay was away, enrol it again: assim-relay enrol --again", err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the answer: %w", err)
	}
	if !bytes.Equal(header.Nonce, h.Nonce) || header.Relay != h.Relay {
		return nil, &wire.Error{Reason: wire.Replayed, What: "the answer is to another request"}
	}
	return opened, nil
}

// Send posts a batch of these records, in whichever form they travel.
func (s *Service) Send(ctx context.Context, batch store.Records, records [][]byte) (uplink.Ack, error) {
	payload, err := uplink.EncodeBatch(records)
	if err != nil {
		return uplink.Ack{}, err
	}
	answer, err := s.exchange(ctx, "/relay/v1/batch", uplink.Header{
		Purpose: uplink.PurposeBatch, Epoch: batch.Epoch, First: batch.First, Last: batch.Last,
		Prev: batch.Prev[:], Chain: batch.Chain[:],
	}, payload, requestTime)
	if err != nil {
		return uplink.Ack{}, err
	}
	return uplink.DecodeAck(answer)
}

// Orders asks for orders, and waits for them as long as the request allows.
func (s *Service) Orders(ctx context.Context, request uplink.OrdersRequest) (uplink.Orders, error) {
	request.Nonce, request.Time, request.SiteKeys = uplink.NewNonce(), s.now().UnixMilli(), s.siteKeys.Load().sequence
	payload, err := request.Encode()
	if err != nil {
		return uplink.Orders{}, err
	}
	limit := requestTime + time.Duration(request.Wait)*time.Millisecond
	answer, err := s.exchange(ctx, "/relay/v1/orders", uplink.Header{Purpose: uplink.PurposeOrdersRequest}, payload, limit)
	if err != nil {
		return uplink.Orders{}, err
	}
	orders, err := uplink.DecodeOrders(answer)
	switch {
	case err != nil:
		return uplink.Orders{}, err
	case !bytes.Equal(orders.Nonce, request.Nonce):
		return uplink.Orders{}, &wire.Error{Reason: wire.Replayed, What: "the orders answer another request"}
	}
	return orders, s.checkCertificates(orders)
}

// Answer posts the answer to a question. Whether anybody still waited for it
// is the service's business.
func (s *Service) Answer(ctx context.Context, a uplink.Answer) error {
	payload, err := a.Encode()
	if err != nil {
		return err
	}
	taken, err := s.exchange(ctx, "/relay/v1/answer", uplink.Header{Purpose: uplink.PurposeAnswer}, payload, requestTime)
	if err != nil {
		return err
	}
	ack, err := uplink.DecodeAck(taken)
	switch {
	case err != nil:
		return err
	case ack.Reason != wire.Accepted:
		return &wire.Error{Reason: ack.Reason, What: ack.Detail}
	}
	return nil
}

// checkCertificates keeps orders from replacing a good certificate by one that no
// probe would accept. Orders may leave them out.
func (s *Service) checkCertificates(orders uplink.Orders) error {
	trusted, err := s.follow(orders.SiteKeys)
	if err != nil {
		return fmt.Errorf("checking the statement of the site's keys: %w", err)
	}
	if len(orders.Certificate) > 0 {
		err = checkCertificate(orders.Certificate, trusted.keys, s.id, s.now())
	}
	if err == nil && len(orders.NextCertificate) > 0 {
		err = checkCertificate(orders.NextCertificate, trusted.keys[:1], s.id, s.now())
	}
	return err
}

// after is how long an error asks to wait at least.
func after(err error) time.Duration {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.After
	}
	return 0
}
