package otelexport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

const (
	// Limit is how long what waits is kept for a collector that is down. History is
	// held at least as long.
	Limit = 7 * 24 * time.Hour

	lookEvery = 2 * time.Second
	batchSize = 250
	atOnce    = 16               // exporters that one process serves at a time
	lease     = 2 * time.Minute  // renewed with each batch
	turn      = 30 * time.Second // after which an exporter waits for its next turn, behind others
	firstWait = 5 * time.Second  // after a failure; doubles with each
	maxWait   = 5 * time.Minute
	sampleOf  = 20 // lines of what was not delivered
)

// Run sends what waits until ctx ends. Any number of processes may.
func (s *Service) Run(ctx context.Context) error {
	group := errgroup.Group{}
	group.SetLimit(atOnce)
	defer group.Wait()
	var busy sync.Map
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		awake, err := s.awake(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			s.Log.Error("looking for exporters", "error", err)
		}
		for _, a := range awake {
			if _, other := busy.LoadOrStore(a, nil); other {
				continue
			}
			if !group.TryGo(func() error {
				defer busy.Delete(a)
				s.take(ctx, a)
				return nil
			}) {
				busy.Delete(a)
			}
		}
	}
}

type awake struct {
	Tenant tenancy.TenantID
	ID     tenancy.ExporterID
}

// take serves one that is awake. A tenant that is being dropped has exporters
// that are awake until their rows are gone: that is no failure.
func (s *Service) take(ctx context.Context, a awake) {
	err := s.serve(ctx, a.Tenant, a.ID)
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnknownTenant) {
		s.Log.Error("exporting", "tenant", a.Tenant, "exporter", a.ID, "error", err)
	}
}

func (s *Service) awake(ctx context.Context, now time.Time) (all []awake, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		// In another order each time: none comes always last.
		rows, err := tx.Query(ctx, `SELECT tenant, id FROM assim.exporters_awake($1) ORDER BY random()`, now)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[awake])
		}
		return err
	})
	return all, err
}

// batch is what is sent at once, and where it leads.
type batch struct {
	signal  Signal
	records []said
	event   int64
	changed place
}

// serve sends all that waits for one exporter, until nothing does, the collector
// fails, or the turn is over: a slow collector does not keep others' waiting.
func (s *Service) serve(ctx context.Context, tenant tenancy.TenantID, id tenancy.ExporterID) error {
	begun := time.Now()
	e, b, err := s.next(ctx, tenant, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // removed
	}
	sampling := e.sends(Metrics) && time.Since(e.SampledAt) >= sampleEvery
	if err != nil || len(b.records) == 0 && !sampling {
		return err
	}
	sec, ok, err := s.claim(ctx, tenant, e)
	if err != nil || !ok {
		return err
	}
	c, err := dial(ctx, e, sec, s.Private)
	if err != nil {
		return s.settle(ctx, tenant, e, fate{reason: problemText(err), again: true}, undelivered{}, true)
	}
	defer c.close(ctx)
	if sampling {
		if again, err := s.sendSample(ctx, tenant, &e, c); err != nil || again {
			return err
		}
	}
	for len(b.records) > 0 {
		f := c.sendLogs(ctx, recordsOf(ctx, tenant, b.records))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !f.again {
			e.EventID, e.Changed = b.event, b.changed
			e.Sent += int64(len(b.records)) - f.refused
		}
		s.count(b.signal, int64(len(b.records)), f)
		if err := s.settle(ctx, tenant, e, f, b.undelivered(f), f.again); err != nil || f.again {
			return err
		}
		if time.Since(begun) >= turn {
			break
		}
		if e, b, err = s.next(ctx, tenant, id); err != nil {
			return err
		}
	}
	return s.settle(ctx, tenant, e, fate{}, undelivered{}, true)
}

// sendSample sends the states of now; again says that the collector failed.
func (s *Service) sendSample(ctx context.Context, tenant tenancy.TenantID, e *Exporter, c *collector) (again bool, err error) {
	now := time.Now()
	all, err := s.sample(ctx, tenant, now)
	if err != nil {
		return false, err
	}
	e.SampledAt = now
	renewed := now
	for _, m := range all {
		f := c.sendMetrics(ctx, m)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		s.count(Metrics, 1, f)
		if f.refused > 0 || f.again || time.Since(renewed) > lease/4 {
			renewed = time.Now()
			u := undelivered{Signal: Metrics, Records: f.refused, FirstAt: now, LastAt: now, Reason: f.reason, Sample: []string{}}
			if err := s.settle(ctx, tenant, *e, f, u, f.again); err != nil || f.again {
				return f.again, err
			}
		}
		if f.refused > 0 {
			break // the others will be, too
		}
	}
	return false, s.settle(ctx, tenant, *e, fate{}, undelivered{}, false)
}

// undelivered is what is noted of a batch of which some was refused.
func (b batch) undelivered(f fate) undelivered {
	u := undelivered{Signal: b.signal, Records: f.refused, Reason: f.reason, Sample: []string{}}
	if len(b.records) > 0 {
		u.FirstAt, u.LastAt = b.records[0].at, b.records[len(b.records)-1].at
	}
	for _, r := range b.records[:min(sampleOf, len(b.records))] {
		text := []rune(r.host.Name + " " + r.text)
		u.Sample = append(u.Sample, string(text[:min(len(text), 200)]))
	}
	return u
}

// next reads an exporter and the batch that comes next.
func (s *Service) next(ctx context.Context, tenant tenancy.TenantID, id tenancy.ExporterID) (e Exporter, b batch, err error) {
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		if e, err = exporterOf(ctx, tx, id); err != nil {
			return err
		}
		b = batch{signal: Events, event: e.EventID, changed: e.Changed}
		if e.sends(Events) {
			rows, err := eventsAfter(ctx, tx, e.EventID)
			if err != nil {
				return fmt.Errorf("reading events: %w", err)
			}
			for _, row := range rows {
				b.event = row.ID
				b.records = append(b.records, row.say(s.Summary))
			}
		}
		if len(b.records) > 0 || !e.sends(Changes) {
			return nil
		}
		b.signal = Changes
		rows, err := changesAfter(ctx, tx, e.Changed)
		if err != nil {
			return fmt.Errorf("reading the history: %w", err)
		}
		kinds, hashes, previous := make([]string, len(rows)), make([][]byte, len(rows)), make([][]byte, len(rows))
		for i, row := range rows {
			kinds[i], hashes[i], previous[i] = row.Kind, row.Hash, row.Previous
		}
		words, err := s.Say(ctx, tx, kinds, hashes, previous)
		if err != nil {
			return fmt.Errorf("putting changes into words: %w", err)
		}
		for i, row := range rows {
			b.changed = row.place
			b.records = append(b.records, row.say(words[i]))
		}
		return nil
	})
	return e, b, err
}

// claim takes the lease, unless another process has it or has been faster.
func (s *Service) claim(ctx context.Context, tenant tenancy.TenantID, e Exporter) (sec secret, ok bool, err error) {
	now := time.Now()
	err = s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		var wrapped []byte
		err := tx.QueryRow(ctx, `UPDATE assim.exporters SET leased_until = $2 WHERE id = $1 AND leased_until <= $3 AND next_at <= $3
			AND event_id = $4 AND changed = $5 RETURNING secret`, e.ID, now.Add(lease), now, e.EventID, e.Changed).Scan(&wrapped)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		sec, err = s.unwrap(tenant, e.ID, wrapped)
		ok = err == nil
		return err
	})
	return sec, ok, err
}

// settle writes down what came of a batch. done gives the lease back.
func (s *Service) settle(ctx context.Context, tenant tenancy.TenantID, e Exporter, f fate, u undelivered, done bool) error {
	now := time.Now()
	leased, nextAt := now.Add(lease), now
	if done {
		leased = now
	}
	if f.again {
		nextAt = now.Add(wait(e.Tries))
		if e.Tries == 0 {
			s.Log.Info("collector failed", "tenant", tenant, "exporter", e.ID, "error", f.reason)
		}
	}
	return s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		if f.again {
			if err := giveUp(ctx, tx, tenant, e, now); err != nil {
				return fmt.Errorf("giving up what waited too long: %w", err)
			}
			_, err := tx.Exec(ctx, `UPDATE assim.exporters SET tries = tries + 1, problem = $2, next_at = $3, leased_until = $4, sampled_at = $5 WHERE id = $1`,
				e.ID, f.reason, nextAt, leased, e.SampledAt)
			return err
		}
		if f.refused > 0 {
			u.At = now
			if err := addUndelivered(ctx, tx, tenant, e.ID, u); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE assim.exporters SET tries = 0, problem = $2, next_at = $3, leased_until = $4, sampled_at = $5, event_id = $6, changed = $7, sent = $8, sent_at = $9 WHERE id = $1`,
			e.ID, f.reason, nextAt, leased, e.SampledAt, e.EventID, e.Changed, e.Sent, now)
		return err
	})
}

// wait is how long to wait after some failures, no two exporters alike.
func wait(tries int) time.Duration {
	d := min(firstWait<<min(tries, 10), maxWait)
	return d/2 + rand.N(d/2)
}

// giveUp moves an exporter past what waited longer than Limit, and notes how much
// that was.
func giveUp(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, e Exporter, now time.Time) error {
	horizon := now.Add(-Limit)
	const reason = "waited longer than 7 days"
	if e.sends(Events) {
		u := undelivered{At: now, Signal: Events, Reason: reason, Sample: []string{}}
		var last int64
		err := tx.QueryRow(ctx, `SELECT count(*), coalesce(max(id), 0), coalesce(min(at), now()), coalesce(max(at), now()) FROM assim.events WHERE id > $1 AND at < $2`,
			e.EventID, horizon).Scan(&u.Records, &last, &u.FirstAt, &u.LastAt)
		if err != nil {
			return err
		}
		if u.Records > 0 {
			if err := addUndelivered(ctx, tx, tenant, e.ID, u); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE assim.exporters SET event_id = $2 WHERE id = $1`, e.ID, last); err != nil {
				return err
			}
		}
	}
	if !e.sends(Changes) || !e.Changed.At.Before(horizon) {
		return nil
	}
	u := undelivered{At: now, Signal: Changes, Reason: reason, Sample: []string{}}
	err := tx.QueryRow(ctx, `SELECT count(*), coalesce(min(at), now()), coalesce(max(at), now()) FROM assim.fact_versions v WHERE `+after+` AND v.at < $8`,
		e.Changed.values(horizon)...).Scan(&u.Records, &u.FirstAt, &u.LastAt)
	if err != nil || u.Records == 0 {
		return err
	}
	if err := addUndelivered(ctx, tx, tenant, e.ID, u); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE assim.exporters SET changed = $2 WHERE id = $1`, e.ID, place{At: horizon})
	return err
}
