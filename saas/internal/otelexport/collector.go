package otelexport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"

	"assimilation/saas/internal/outbound"
	"assimilation/saas/internal/web"
)

const (
	sendTimeout = 10 * time.Second
	maxProblem  = 500 // bytes of what a collector says of an error
)

// collector is the way to one. Every option that the exporters would look for in
// our environment is given: it is the operator's, not the tenant's.
type collector struct {
	logs    log.Exporter
	metrics metric.Exporter
	conn    *grpc.ClientConn // nil by HTTP
	status  *lastStatus      // nil by gRPC
}

func dial(ctx context.Context, e Exporter, s secret, private bool) (*collector, error) {
	config, err := secure(e, s)
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(e.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if e.Protocol == overHTTP {
		client := outbound.Sender(private, config)
		c := &collector{status: &lastStatus{next: client.Transport}}
		client.Transport = c.status
		squeeze, squeezeMetrics := otlploghttp.NoCompression, otlpmetrichttp.NoCompression
		if e.Compression == gzipped {
			squeeze, squeezeMetrics = otlploghttp.GzipCompression, otlpmetrichttp.GzipCompression
		}
		c.logs, err = otlploghttp.New(ctx, otlploghttp.WithEndpointURL(endpoint.JoinPath("v1/logs").String()), otlploghttp.WithHTTPClient(client), otlploghttp.WithHeaders(s.Headers),
			otlploghttp.WithCompression(squeeze), otlploghttp.WithTimeout(sendTimeout), otlploghttp.WithRetry(otlploghttp.RetryConfig{}))
		if err != nil {
			return nil, err
		}
		c.metrics, err = otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(endpoint.JoinPath("v1/metrics").String()), otlpmetrichttp.WithHTTPClient(client), otlpmetrichttp.WithHeaders(s.Headers),
			otlpmetrichttp.WithCompression(squeezeMetrics), otlpmetrichttp.WithTimeout(sendTimeout), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{}))
		return c, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
		grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) {
			return outbound.Dialer(private).DialContext(ctx, "tcp", to)
		}),
	}
	if config != nil {
		options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	}
	if e.Compression == gzipped {
		options = append(options, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	// The dialer resolves the name, and so dials only what was looked at.
	conn, err := grpc.NewClient("passthrough:///"+address(endpoint), options...)
	if err != nil {
		return nil, err
	}
	c := &collector{conn: conn}
	c.logs, err = otlploggrpc.New(ctx, otlploggrpc.WithGRPCConn(conn), otlploggrpc.WithHeaders(s.Headers), otlploggrpc.WithTimeout(sendTimeout), otlploggrpc.WithRetry(otlploggrpc.RetryConfig{}))
	if err == nil {
		c.metrics, err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(conn), otlpmetricgrpc.WithHeaders(s.Headers), otlpmetricgrpc.WithTimeout(sendTimeout), otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{}))
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (c *collector) close(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	// There is nothing in them that is not settled.
	c.logs.Shutdown(ctx)
	c.metrics.Shutdown(ctx)
	if c.conn != nil {
		c.conn.Close()
	}
}

// fate is what became of what was sent.
type fate struct {
	refused int64  // records that the collector took for nothing
	reason  string // of that, or why to try again
	again   bool
}

func (c *collector) sendLogs(ctx context.Context, records []log.Record) fate {
	return c.fateOf(c.logs.Export(ctx, records), int64(len(records)))
}

func (c *collector) sendMetrics(ctx context.Context, m *metricdata.ResourceMetrics) fate {
	var points int64
	for _, scope := range m.ScopeMetrics {
		points += int64(len(scope.Metrics))
	}
	return c.fateOf(c.metrics.Export(ctx, m), points)
}

// partly finds the count in the exporters' error for a request that was taken in
// part (OTLP, partial success), which has no type that is exported.
var partly = regexp.MustCompile(`OTLP partial success: .*\((\d+) [a-z ]+ rejected\)`)

func (c *collector) fateOf(err error, records int64) fate {
	if err == nil {
		return fate{}
	}
	text := problemText(err)
	if found := partly.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " ")); found != nil {
		n, err := strconv.ParseInt(found[1], 10, 64)
		if err != nil {
			n = records
		}
		return fate{refused: min(n, records), reason: text}
	}
	if c.refuses(err) {
		return fate{refused: records, reason: text}
	}
	return fate{reason: text, again: true}
}

// refuses reports whether the collector says that these very records are bad.
// All else, also a wrong password, may be mended.
func (c *collector) refuses(err error) bool {
	if c.status != nil {
		switch c.status.code {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			return true
		}
		return false
	}
	code := status.Code(err)
	return code == codes.InvalidArgument || code == codes.OutOfRange || code == codes.DataLoss
}

// problemText is what people are shown of an error.
func problemText(err error) string {
	text := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, web.Text(err.Error()))
	if len(text) > maxProblem {
		text = strings.ToValidUTF8(text[:maxProblem], "") + "..."
	}
	return text
}

// lastStatus remembers the status of the last answer; the exporters tell it in
// words only. One request is under way at a time.
type lastStatus struct {
	next http.RoundTripper
	code int // 0: there was no answer
}

func (s *lastStatus) RoundTrip(r *http.Request) (*http.Response, error) {
	s.code = 0
	answer, err := s.next.RoundTrip(r)
	if err == nil {
		s.code = answer.StatusCode
	}
	return answer, err
}
