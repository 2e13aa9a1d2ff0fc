package otelexport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"assimilation/saas/internal/outbound"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Bounds of settings.
const (
	maxHeaders = 20
	maxHeader  = 4096 // bytes of a header's value
	maxPEM     = 64 << 10
)

// Signal is a sort of what is sent.
type Signal string

// The signals.
const (
	Events  Signal = "events"
	Changes Signal = "changes"
	Metrics Signal = "metrics"
)

// Protocols and compressions, as OTEL_EXPORTER_OTLP_PROTOCOL and _COMPRESSION
// name them, but for "http", which is http/protobuf.
const (
	overGRPC = "grpc"
	overHTTP = "http"
	gzipped  = "gzip"
	plain    = "none"
)

// Exporter is a place that a tenant's data is sent to, without its secrets.
type Exporter struct {
	ID          tenancy.ExporterID
	Name        string
	Protocol    string
	Endpoint    string
	Compression string
	Signals     []Signal
	Headers     []string // names
	CA          string
	Certificate string
	CreatedAt   time.Time
	EventID     int64
	Changed     place
	SampledAt   time.Time
	Tries       int
	Problem     string
	NextAt      time.Time
	SentAt      *time.Time
	Sent        int64
}

func (e Exporter) sends(s Signal) bool { return slices.Contains(e.Signals, s) }

// place is where an exporter is in the history: after this change.
type place struct {
	At       time.Time       `json:"at"`
	Relay    tenancy.RelayID `json:"relay"`
	Epoch    int64           `json:"epoch"`
	Seq      int64           `json:"seq"`
	Host     tenancy.HostID  `json:"host"`
	Kind     string          `json:"kind"`
	Instance string          `json:"instance"`
}

// secret is what the collector lets us in by.
type secret struct {
	Headers map[string]string `json:"headers"`
	Key     string            `json:"key"` // PEM, of Exporter.Certificate
}

// Settings are what a person says of an exporter.
type Settings struct {
	Name        string            `json:"name" minLength:"1" maxLength:"100" example:"collector"`
	Protocol    string            `json:"protocol" enum:"grpc,http"`
	Endpoint    string            `json:"endpoint" maxLength:"500" example:"https://otlp.example.org:4317" doc:"https://host:port; of http without /v1/logs and /v1/metrics. Plain http is for a service whose tenants are its operator's"`
	Compression string            `json:"compression,omitempty" enum:"gzip,none" default:"gzip"`
	Signals     []Signal          `json:"signals,omitempty" enum:"events,changes,metrics" doc:"empty: all"`
	Headers     map[string]string `json:"headers,omitempty" doc:"sent with each request, never shown again; absent keeps those that are there, of the same endpoint"`
	CA          string            `json:"ca,omitempty" maxLength:"65536" doc:"PEM of the authorities that may sign the collector's certificate; default those of the system"`
	Certificate string            `json:"certificate,omitempty" maxLength:"65536" doc:"PEM of the certificate that we show"`
	Key         string            `json:"key,omitempty" maxLength:"65536" doc:"PEM of its key, never shown again; absent keeps the one that is there, of the same certificate and endpoint"`
}

// RFC 9110, 5.6.2; gRPC metadata knows lower case only.
var headerName = regexp.MustCompile(`^[a-z0-9!#$%&'*+.^_|~-]{1,100}$`)

// reserved headers are made by the protocols.
var reserved = []string{"host", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "te", "user-agent"}

// check returns the exporter and secret of settings that are good.
func (s Settings) check(private bool) (e Exporter, sec secret, err error) {
	if s.Compression == "" {
		s.Compression = gzipped
	}
	if len(s.Signals) == 0 {
		s.Signals = []Signal{Events, Changes, Metrics}
	}
	slices.Sort(s.Signals)
	e = Exporter{
		Name: strings.TrimSpace(web.Text(s.Name)), Protocol: s.Protocol, Endpoint: s.Endpoint, Compression: s.Compression,
		Signals: slices.Compact(s.Signals), CA: s.CA, Certificate: s.Certificate,
	}
	sec = secret{Headers: map[string]string{}, Key: s.Key}
	switch {
	case e.Name == "" || len([]rune(e.Name)) > 100:
		return e, sec, errors.New("name: has 1 to 100 characters")
	case e.Protocol != overGRPC && e.Protocol != overHTTP:
		return e, sec, errors.New("protocol: is grpc or http")
	case e.Compression != gzipped && e.Compression != plain:
		return e, sec, errors.New("compression: is gzip or none")
	case slices.ContainsFunc(e.Signals, func(s Signal) bool { return s != Events && s != Changes && s != Metrics }):
		return e, sec, errors.New("signals: are events, changes, metrics")
	case len(s.Headers) > maxHeaders:
		return e, sec, fmt.Errorf("headers: are more than %d", maxHeaders)
	}
	if err := checkEndpoint(e.Endpoint, e.Protocol, private); err != nil {
		return e, sec, fmt.Errorf("endpoint: %w", err)
	}
	for name, value := range s.Headers {
		name = strings.ToLower(strings.TrimSpace(name))
		if !headerName.MatchString(name) || slices.Contains(reserved, name) || strings.HasPrefix(name, "grpc-") || strings.HasSuffix(name, "-bin") {
			return e, sec, fmt.Errorf("headers: %.100q is not a name that can be set", name)
		}
		if len(value) > maxHeader || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			return e, sec, fmt.Errorf("headers: the value of %s is too long or not plain text", name)
		}
		sec.Headers[name] = value
	}
	e.Headers = slices.AppendSeq([]string{}, maps.Keys(sec.Headers))
	slices.Sort(e.Headers)
	if len(e.CA) > maxPEM || e.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(e.CA)) {
		return e, sec, errors.New("ca: holds no certificate in PEM")
	}
	return e, sec, nil
}

// checkEndpoint refuses at once what is refused again when it is dialled, where
// names are known, too.
func checkEndpoint(text, protocol string, private bool) error {
	u, err := url.Parse(text)
	if err != nil || len(text) > 500 || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return errors.New("is not https://host:port")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("begins with https://")
	case u.Scheme == "http" && !private:
		return errors.New("is without TLS")
	case protocol == overGRPC && u.Path != "" && u.Path != "/":
		return errors.New("has a path, which gRPC does not know")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !private && !outbound.Public(ip) {
		return outbound.ErrNotPublic
	}
	return nil
}

// address is host:port for gRPC, whose port is 4317 (OTLP 1.0).
func address(endpoint *url.URL) string {
	port := endpoint.Port()
	if port == "" {
		port = "4317"
	}
	return net.JoinHostPort(endpoint.Hostname(), port)
}

// secure is the TLS that the settings want; nil where there is none.
func secure(e Exporter, s secret) (*tls.Config, error) {
	if !strings.HasPrefix(e.Endpoint, "https:") {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if e.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(e.CA)) {
			return nil, errors.New("ca: holds no certificate in PEM")
		}
	}
	if e.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(e.Certificate), []byte(s.Key))
		if err != nil {
			return nil, errors.New("certificate: does not go with its key, or one of them is not PEM")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
