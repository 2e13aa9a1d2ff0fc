package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"assimilation/cmdb"
	"assimilation/loadtest/estate"
	"assimilation/saas/internal/graph"
	"assimilation/wire"
)

// days of changes behind the estate; the last ends now.
const days = 8

// Sizes of batches, in hosts: as a busy relay's, and as changes come in.
const (
	firstBatch  = 250
	changeBatch = 100
)

// loaded is what filling the database cost.
type loaded struct {
	Hosts    int     `json:"hosts"`
	Facts    int     `json:"facts"`
	Elements int64   `json:"elements_written"`
	Seconds  float64 `json:"seconds"`
	Changes  int     `json:"facts_changed_later"`
	Later    float64 `json:"seconds_of_changes"`
	Vacuum   float64 `json:"seconds_of_vacuum"`
}

// fill puts the estate in, unless it is there.
func (p *place) fill(ctx context.Context, o options, errs io.Writer) (*loaded, error) {
	if p.full(ctx) {
		return nil, nil
	}
	e, err := estate.New(o.hosts, o.seed)
	if err != nil {
		return nil, err
	}
	origin := time.Now().Add(-days * 24 * time.Hour).UTC().Truncate(time.Microsecond)
	if err := p.settle(ctx, e, origin); err != nil {
		return nil, err
	}
	f := &filler{place: p, estate: e, writer: graph.NewWriter(), bodies: map[[32]byte]bool{}, versions: map[int]int64{}}
	began := time.Now()
	if err := f.first(ctx, origin, errs); err != nil {
		return nil, err
	}
	l := &loaded{Hosts: e.Hosts(0), Facts: f.facts, Elements: f.elements, Seconds: time.Since(began).Seconds()}
	began = time.Now()
	for day := 1; day < days; day++ {
		if err := f.day(ctx, day, origin.Add(time.Duration(day)*24*time.Hour)); err != nil {
			return nil, err
		}
		fmt.Fprintf(errs, "day %d: %d facts changed so far, %.0f s\n", day, f.facts-l.Facts, time.Since(began).Seconds())
	}
	l.Hosts, l.Changes, l.Later = e.Hosts(days-1), f.facts-l.Facts, time.Since(began).Seconds()
	began = time.Now()
	for _, sql := range []string{`VACUUM (ANALYZE)`, `CHECKPOINT`, `CREATE TABLE public.estate_loaded AS SELECT now() AS at`} {
		if _, err := p.admin.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("tidying up: %w", err)
		}
	}
	l.Vacuum = time.Since(began).Seconds()
	return l, nil
}

// settle makes the sites and relays, and lets history begin with the estate.
func (p *place) settle(ctx context.Context, e *estate.Estate, origin time.Time) error {
	queue := &pgx.Batch{}
	certificate := wire.Certificate{NotAfter: origin.AddDate(1, 0, 0).Unix()}.Append(nil) // that nobody verifies here
	for _, s := range e.Sites() {
		queue.Queue(`INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES ($1, $2, $3, $4, $5, $6)`,
			s.ID, p.tenant, s.Name, s.ID.String(), []byte(rand.Text()), []byte(rand.Text()))
		queue.Queue(`INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate, seen_at)
			VALUES ($1, $2, $3, $4, '', '', $5, '', $6, now())`, s.Relay, p.tenant, s.ID, s.Name+"-relay", []byte(rand.Text()), certificate)
	}
	queue.Queue(`UPDATE assim.tenants SET created_at = $2 WHERE id = $1`, p.tenant, origin.Add(-time.Hour))
	queue.Queue(`UPDATE assim.history SET facts_from = $2, graph_from = $2 WHERE tenant = $1`, p.tenant, origin.Add(-time.Hour))
	if err := p.admin.SendBatch(ctx, queue).Close(); err != nil {
		return fmt.Errorf("making the sites: %w", err)
	}
	return nil
}

// first puts in what all hosts report on the first day: one goroutine makes and
// projects facts while another writes.
func (f *filler) first(ctx context.Context, origin time.Time, errs io.Writer) error {
	group, ctx := errgroup.WithContext(ctx)
	made := make(chan *batch, 2)
	group.Go(func() error {
		defer close(made)
		for first := 0; first < f.estate.Hosts(0); first += firstBatch {
			b := &batch{at: origin.Add(time.Duration(first) * time.Millisecond)}
			for n := first; n < min(first+firstBatch, f.estate.Hosts(0)); n++ {
				if err := f.enrol(b, n, 0); err != nil {
					return err
				}
			}
			select {
			case made <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	began, hosts := time.Now(), 0
	group.Go(func() error {
		for b := range made {
			if err := f.write(ctx, b); err != nil {
				return err
			}
			if hosts += len(b.hosts); hosts%(20*firstBatch) == 0 {
				fmt.Fprintf(errs, "%d hosts, %d elements, %.0f s\n", hosts, f.elements, time.Since(began).Seconds())
			}
		}
		return nil
	})
	return group.Wait()
}

// day puts in what changed on a day, spread over its hours.
func (f *filler) day(ctx context.Context, day int, begins time.Time) error {
	var batches []*batch
	err := f.estate.Changes(day, func(c estate.Change) error {
		if len(batches) == 0 || batches[len(batches)-1].size == changeBatch {
			batches = append(batches, &batch{})
		}
		b := batches[len(batches)-1]
		b.size++
		if c.Before == nil {
			return f.enrol(b, c.Host, day)
		}
		h := f.estate.Host(c.Host)
		for i := range c.After {
			before, err := f.memo.Project(refOf(h), c.Before[i])
			if err != nil {
				return err
			}
			after, err := project(refOf(h), c.After[i])
			if err != nil {
				return err
			}
			b.deltas = append(b.deltas, cmdb.Diff(before, after))
			b.add(h, f.next(c.Host), c.After[i], &c.Before[i].Hash)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, b := range batches {
		b.at = begins.Add(time.Duration(i+1) * 24 * time.Hour / time.Duration(len(batches)+2)).Truncate(time.Microsecond)
		if err := f.write(ctx, b); err != nil {
			return err
		}
	}
	return nil
}
