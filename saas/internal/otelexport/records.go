package otelexport

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"assimilation/tenancy"
)

// scope is who makes the records; its name also is the service's, of records and
// metrics that are of no host.
const scope = "assimilation"

// host is what a resource tells of a host.
type host struct {
	ID      *tenancy.HostID // nil: of no host
	Name    string
	OS      string // GOOS
	Arch    string // GOARCH
	Version string // of its probe
}

// resourceOf describes a host, or the service where there is none, by the semantic
// conventions.
func resourceOf(h host, tenant tenancy.TenantID, site string) *resource.Resource {
	all := []attribute.KeyValue{semconv.ServiceName(scope), attribute.String("assimilation.tenant.id", tenant.String())}
	if site != "" {
		all = append(all, attribute.String("assimilation.site.name", site))
	}
	if h.ID != nil {
		all = append(all, semconv.HostID(h.ID.String()), semconv.HostName(h.Name))
		if h.OS != "" {
			all = append(all, semconv.OSTypeKey.String(h.OS))
		}
		if h.Arch != "" {
			all = append(all, semconv.HostArchKey.String(h.Arch))
		}
		if h.Version != "" {
			all = append(all, attribute.String("assimilation.probe.version", h.Version))
		}
	}
	return resource.NewWithAttributes(semconv.SchemaURL, all...)
}

// said is a log record in the making.
type said struct {
	host       host
	site       string
	at, seenAt time.Time
	name       string
	severity   otellog.Severity
	text       string
	attributes []attribute.KeyValue
}

// event is a row of assim.events.
type event struct {
	ID         int64
	At, SeenAt time.Time
	Type       string
	Detail     json.RawMessage
	Verdict    *tenancy.VerdictID
	Site       string
	Relay      string
	Host       *tenancy.HostID
	HostName   string
	OS         string
	Arch       string
	Version    string
	About      []string // names of the verdict's hosts, the first maxAbout
}

// maxAbout bounds the hosts that a record names.
const maxAbout = 100

// say makes the record of an event; summary says it in words.
func (e event) say(summary func(kind string, detail json.RawMessage) string) said {
	s := said{
		host: host{e.Host, e.HostName, e.OS, e.Arch, e.Version}, site: e.Site, at: e.At, seenAt: e.SeenAt, name: scope + "." + e.Type, severity: severityOf(e.Type),
		text: summary(e.Type, e.Detail),
	}
	if s.text == "" {
		s.text = e.Type
	}
	var detail struct{ Kind, From, Ending string }
	// Of a newer version: the raw detail goes along.
	_ = json.Unmarshal(e.Detail, &detail)
	s.add("assimilation.event.id", attribute.Int64Value(e.ID))
	s.add("assimilation.event.type", attribute.StringValue(e.Type))
	s.put("assimilation.event.detail", string(e.Detail))
	s.put("assimilation.relay.name", e.Relay)
	if e.Verdict != nil {
		s.add("assimilation.verdict.id", attribute.StringValue(e.Verdict.String()))
		s.put("assimilation.verdict.kind", detail.Kind)
		s.put("assimilation.verdict.ending", detail.Ending)
		s.add("assimilation.verdict.hosts", attribute.StringSliceValue(e.About))
	}
	if from, err := netip.ParseAddr(detail.From); err == nil {
		s.add(string(semconv.NetworkPeerAddressKey), attribute.StringValue(from.String()))
		kind := "ipv6"
		if from.Unmap().Is4() {
			kind = "ipv4"
		}
		s.add(string(semconv.NetworkTypeKey), attribute.StringValue(kind))
	}
	return s
}

// severityOf is how much an event matters: ends and arrivals inform.
func severityOf(kind string) otellog.Severity {
	switch {
	case kind == "verdict.over", kind == "verdict.explained", kind == "verdict.clock-stepped":
		return otellog.SeverityInfo
	case strings.HasPrefix(kind, "verdict."):
		return otellog.SeverityError
	case strings.HasPrefix(kind, "refusal"), kind == "host.silent", kind == "host.down", kind == "host.agent-down", kind == "relay.gap":
		return otellog.SeverityWarn
	}
	return otellog.SeverityInfo
}

// change is a row of assim.fact_versions.
type change struct {
	place
	SeenAt   time.Time
	Site     string
	HostName string
	OS       string
	Arch     string
	Version  string
	Hash     []byte
	Previous []byte
}

// say makes the record of a change, whose difference in words is summary.
func (c change) say(summary string) said {
	op := "changed"
	switch {
	case c.Hash == nil:
		op = "gone"
	case c.Previous == nil:
		op = "appeared"
	}
	about := c.Kind
	if c.Instance != "" {
		about += "/" + c.Instance
	}
	s := said{
		host: host{&c.Host, c.HostName, c.OS, c.Arch, c.Version}, site: c.Site, at: c.At, seenAt: c.SeenAt, name: scope + ".change", severity: otellog.SeverityInfo,
		text: about + " " + summary,
	}
	s.put("assimilation.change.kind", c.Kind)
	s.put("assimilation.change.instance", c.Instance)
	s.put("assimilation.change.op", op)
	s.put("assimilation.change.summary", summary)
	return s
}

func (s *said) add(key string, v attribute.Value) {
	s.attributes = append(s.attributes, attribute.KeyValue{Key: attribute.Key(key), Value: v})
}

// put adds a text that is not empty.
func (s *said) put(key, text string) {
	if text != "" {
		s.add(key, attribute.StringValue(text))
	}
}

// recordsOf makes the records, each of its own resource.
func recordsOf(ctx context.Context, tenant tenancy.TenantID, all []said) []log.Record {
	taken := &taker{}
	loggers := map[string]otellog.Logger{}
	for _, s := range all {
		of := resourceOf(s.host, tenant, s.site)
		key := of.Encoded(attribute.DefaultEncoder())
		if loggers[key] == nil {
			loggers[key] = log.NewLoggerProvider(log.WithResource(of), log.WithProcessor(taken), log.WithAttributeValueLengthLimit(maxText)).Logger(scope)
		}
		var r otellog.Record
		r.SetTimestamp(s.seenAt)
		r.SetObservedTimestamp(s.at)
		r.SetEventName(s.name)
		r.SetSeverity(s.severity)
		r.SetSeverityText(s.severity.String())
		r.SetBody(attribute.StringValue(s.text))
		r.AddAttributes(s.attributes...)
		loggers[key].Emit(ctx, r)
	}
	return taken.records
}

// maxText bounds the texts of a record, in characters.
const maxText = 4000

// taker is the processor that keeps records for a batch of ours.
type taker struct{ records []log.Record }

func (t *taker) OnEmit(_ context.Context, r *log.Record) error {
	t.records = append(t.records, r.Clone())
	return nil
}

func (t *taker) Enabled(context.Context, log.EnabledParameters) bool { return true }
func (t *taker) Shutdown(context.Context) error                      { return nil }
func (t *taker) ForceFlush(context.Context) error                    { return nil }
