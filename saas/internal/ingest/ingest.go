// Package ingest takes in the relays' streams: it checks each batch's place in
// its stream, brings facts, hosts, events and findings up to date, and hands the
// net change to the graph, all in one transaction. What is acknowledged is
// durable; what is sent twice changes nothing.
//
//	envelope -> records -> place in the stream -> one transaction {
//	    tenant's lock, time, stream row
//	    records in order: hosts, facts, refusals (in memory)
//	    bodies, facts, versions, events, findings, graph, stream position
//	} -> ACK
//
// One bad record never holds up a stream: it is refused by name, shown as a
// finding of its host, and the stream goes on.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"assimilation/discovery"
	"assimilation/discovery/kinds"
	"assimilation/discovery/residency"
	"assimilation/saas/internal/graph"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/relaychan"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/uplink"
	"assimilation/wire"
)

// Service writes facts. One process has one.
type Service struct {
	db     *store.DB
	log    *slog.Logger
	graph  *graph.Writer
	turns  *turns
	early  *early
	pack   *zstd.Encoder
	unpack *zstd.Decoder

	rules            *residency.Rules
	withheld         prometheus.Counter
	records, refused *prometheus.CounterVec
	elements         *prometheus.CounterVec
	seconds          prometheus.Histogram
}

// New makes a Service and registers its metrics.
func New(db *store.DB, log *slog.Logger, metrics prometheus.Registerer) (*Service, error) {
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2))
	if err != nil {
		return nil, fmt.Errorf("making a compressor: %w", err)
	}
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(discovery.MaxBody))
	if err != nil {
		return nil, fmt.Errorf("making a decompressor: %w", err)
	}
	rules, err := residency.New(kinds.All())
	if err != nil {
		return nil, err
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	s := &Service{
		db: db, log: log, graph: graph.NewWriter(), turns: newTurns(), early: newEarly(), pack: pack, unpack: unpack,
		rules: rules,
		withheld: prometheus.NewCounter(prometheus.CounterOpts{Name: "assim_ingest_withheld_total",
			Help: "Facts and states of hosts that came with topology which is to stay in their site."}),
		records:  counter("assim_ingest_records_total", "Records of relays' streams that were taken in, by type.", "type"),
		refused:  counter("assim_ingest_refused_total", "Records and batches that were refused, by reason.", "reason"),
		elements: counter("assim_ingest_elements_total", "Graph elements that were put or removed, by effect.", "effect"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "assim_ingest_batch_seconds", Help: "Time to take in one batch.",
			Buckets: []float64{.005, .01, .02, .04, .06, .1, .25, .5, 1, 2.5, 10}}),
	}
	metrics.MustRegister(s.withheld, s.records, s.refused, s.elements, s.seconds)
	return s, nil
}

// Source is whose stream it is.
type Source struct {
	Tenant tenancy.TenantID
	Site   tenancy.SiteID
	Relay  tenancy.RelayID
	// Forwarder sends it in the place of Relay; zero: Relay itself does.
	Forwarder tenancy.RelayID
}

// Batch answers an opened envelope of PurposeBatch with an encoded uplink.Ack;
// it is a relaychan.Handler.
func (s *Service) Batch(ctx context.Context, r relaychan.Request) ([]byte, error) {
	if r.Relay.Revoked {
		return nil, &wire.Error{Reason: wire.Revoked, What: "relay"}
	}
	from, refusal, err := s.source(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case refusal != nil:
		return refusal.Encode()
	}
	ack, err := s.Apply(ctx, from, r.Header, r.Payload)
	if err != nil {
		return nil, err
	}
	return ack.Encode()
}

// Apply takes in one batch and says where the stream stands then.
func (s *Service) Apply(ctx context.Context, from Source, header uplink.Header, payload []byte) (uplink.Ack, error) {
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("assimilation/saas").Start(ctx, "take in a batch", trace.WithAttributes(
		attribute.String("assimilation.tenant.id", from.Tenant.String()), attribute.Int64("assimilation.batch.records", int64(header.Last-header.First)+1)))
	defer span.End()
	ack, err := s.attempt(ctx, from, header, payload)
	if err == nil && isEarly(header, ack.Epoch, ack.Position) && s.await(ctx, from, header) {
		ack, err = s.attempt(ctx, from, header, payload)
	}
	switch refused, ok := errors.AsType[*wire.Error](err); {
	case ok:
		s.refused.WithLabelValues(refused.Reason.String()).Inc()
		if refused.Reason == wire.OverQuota {
			s.noteHeld(ctx, from.Tenant)
		}
	case err != nil:
		err = fmt.Errorf("taking in records %d to %d of relay %s: %w", header.First, header.Last, from.Relay, err)
	}
	return ack, err
}

// attempt takes in a batch if its turn has come.
func (s *Service) attempt(ctx context.Context, from Source, header uplink.Header, payload []byte) (uplink.Ack, error) {
	began := time.Now()
	records, missing, err := s.inline(ctx, from, payload)
	if err != nil {
		return uplink.Ack{}, err
	}
	if len(missing) > 0 {
		return s.need(ctx, from, header, missing)
	}
	entries, err := uplink.ReadRecords(header, records)
	if err != nil {
		return uplink.Ack{}, err
	}
	ack, err := s.apply(ctx, from, header, records, entries)
	if missing := (*graph.MissingEnd)(nil); errors.As(err, &missing) {
		// Facts are the truth: a damaged graph must not stop a stream.
		s.log.Error("graph is damaged, rebuilding it", "tenant", from.Tenant, "error", err)
		if _, err := s.Rebuild(ctx, from.Tenant); err != nil {
			return uplink.Ack{}, err
		}
		ack, err = s.apply(ctx, from, header, records, entries)
	}
	if err == nil {
		s.seconds.Observe(time.Since(began).Seconds())
	}
	return ack, err
}

func (s *Service) apply(ctx context.Context, from Source, header uplink.Header, records [][]byte, entries []uplink.Entry) (uplink.Ack, error) {
	var ack uplink.Ack
	var b *batch
	err := s.write(ctx, from.Tenant, func(tx pgx.Tx, at time.Time) error {
		have, err := readPosition(ctx, tx, from, "FOR UPDATE")
		if err != nil {
			return err
		}
		place := have.judge(from.Relay, header, records)
		ack = place.ack(header)
		b = &batch{Service: s, tx: tx, from: from, epoch: header.Epoch, at: at}
		if place.skip < len(entries) {
			if b.budget.Limits, b.budget.Used, err = quota.Read(ctx, tx); err != nil {
				return err
			}
			if err := b.budget.Held(); err != nil {
				return err
			}
		}
		if place.newEpoch {
			if ack, err = b.beginEpoch(ctx, have, ack, entries[0]); err != nil || ack.Reason != wire.Accepted {
				return err
			}
		}
		if place.skip == len(entries) {
			return nil
		}
		if err := b.take(ctx, entries[place.skip:]); err != nil {
			return err
		}
		return b.moveTo(ctx, uplink.Chain(header.Chain), header.Last)
	})
	if err != nil {
		return uplink.Ack{}, err
	}
	if ack.Reason != wire.Accepted {
		s.refused.WithLabelValues(ack.Reason.String()).Inc()
	}
	b.count()
	s.early.wake(from.Relay)
	return ack, nil
}

// write runs fn as the tenant's only writer; at is later than any time that an
// earlier writer had.
func (s *Service) write(ctx context.Context, tenant tenancy.TenantID, fn func(tx pgx.Tx, at time.Time) error) error {
	// Waiting here costs no connection.
	leave, err := s.turns.enter(ctx, tenant)
	if err != nil {
		return fmt.Errorf("waiting for the tenant's other writers: %w", err)
	}
	defer leave()
	return s.db.In(ctx, tenant, func(tx pgx.Tx) error {
		at, err := lock(ctx, tx, tenant)
		if err != nil {
			return err
		}
		return fn(tx, at)
	})
}

// lock makes the transaction the tenant's only writer, also among processes, and
// takes the time: the order of times is the order of effects.
func lock(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) (at time.Time, err error) {
	// The planner cannot know how few rows a batch asks for.
	if _, err := tx.Exec(ctx, `SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off`); err != nil {
		return at, fmt.Errorf("setting up a writer: %w", err)
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "assim writer "+tenant.String()); err != nil {
		return at, fmt.Errorf("waiting for the tenant's lock: %w", err)
	}
	// A clock that was set back must not reorder history.
	err = tx.QueryRow(ctx, `
		INSERT INTO assim.writers AS w (tenant, at) VALUES ($1, clock_timestamp())
		ON CONFLICT (tenant) DO UPDATE SET at = greatest(clock_timestamp(), w.at + interval '1 microsecond')
		RETURNING at`, tenant).Scan(&at)
	if err != nil {
		return at, fmt.Errorf("taking the time: %w", err)
	}
	return at, nil
}
