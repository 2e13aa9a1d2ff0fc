// Package outbound makes the HTTP client for addresses that tenants name. It
// reaches the public internet only: what a tenant names must not lead to the
// service's own network, however the name resolves, and wherever it redirects.
package outbound

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Limits of one request.
const (
	timeout      = 10 * time.Second
	maxRedirects = 3
	maxBody      = 1 << 20
)

// ErrNotPublic is the error of an address that is not of the public internet.
var ErrNotPublic = errors.New("is not a public address")

// ErrTooLarge is the error of an answer that does not end.
var ErrTooLarge = errors.New("the answer is too large")

// Dialer connects to the public internet only, or to any address where private.
func Dialer(private bool) *net.Dialer {
	dialer := &net.Dialer{Timeout: timeout}
	if !private {
		// After the name was resolved: of what is dialled, not of what was asked.
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%s: %w", address, ErrNotPublic)
			}
			if !Public(to.Addr()) {
				return fmt.Errorf("%s %w", to.Addr(), ErrNotPublic)
			}
			return nil
		}
	}
	return dialer
}

// Client makes the client. private lets it reach any address, also without TLS:
// for a service whose tenants are one's own.
func Client(private bool) *http.Client {
	client := Sender(private, nil)
	client.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		return nil
	}
	return client
}

// Sender makes a client that goes where it is sent and nowhere else: for requests
// whose headers are secret. secure may be nil.
func Sender(private bool, secure *tls.Config) *http.Client {
	transport := &http.Transport{ // no proxy: it would dial for us
		DialContext: Dialer(private).DialContext, TLSClientConfig: secure, TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout,
		DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
	}
	return &http.Client{
		Timeout: timeout, Transport: bounded{transport, private},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded wants TLS, and cuts answers off.
type bounded struct {
	next    http.RoundTripper
	private bool
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !b.private {
		return nil, errors.New("only https is asked")
	}
	answer, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &limited{answer.Body, maxBody}
	return answer, nil
}

type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.ReadCloser.Read(p)
	l.left -= int64(n)
	return n, err
}

// special are networks that are nobody's on the internet, or that lead to others
// (RFC 6890 and the registries of IANA).
var special = func() (all []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()

// Public reports whether an address is of the public internet.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, network := range special {
		if network.Contains(a) {
			return false
		}
	}
	return true
}
