package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/cmdb"
	"assimilation/saas/internal/graph"
	"assimilation/saas/internal/ingest"
)

// rebuilt is one rebuild of the graph from the facts.
type rebuilt struct {
	What    string  `json:"what"`
	Checked int64   `json:"elements"`
	Changed int64   `json:"mended"`
	Skipped int64   `json:"skipped"`
	Seconds float64 `json:"seconds"`
	Memory  int64   `json:"peak_bytes"`         // of our process
	Backend int64   `json:"backend_peak_bytes"` // resident, with the buffers that it touched
	Digest  string  `json:"digest"`
	Equal   bool    `json:"digest_as_before"`
}

// damages are done behind the service's back.
var damages = []string{
	`DELETE FROM {Service} s WHERE hashtext(s.id::text) % 100 = 0`, // leaves dangling edges
	`DELETE FROM {CONTAINS} c WHERE hashtext(c.id::text) % 50 = 0`,
	`UPDATE {NIC} n SET properties = (('{"key": ' || (to_jsonb(n.properties ->> 'key'::text))::text || ', "mac": "odd"}')::ag_catalog.agtype) WHERE hashtext(n.id::text) % 100 = 0`,
	`UPDATE {RUNS_OS} r SET properties = '{}' WHERE hashtext(r.id::text) % 100 = 0`,
	`UPDATE {User} u SET properties = '{"name": "nobody"}' WHERE hashtext(u.id::text) % 1000 = 0`, // no key any more
}

// rebuild projects all facts anew: onto the graph as it is, and as it is after
// damage. The facts themselves say whether what the filler wrote was right.
func (p *place) rebuild(ctx context.Context, r *report, errs io.Writer) error {
	service, err := ingest.New(p.db, slog.New(slog.NewTextHandler(errs, nil)), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	before, err := p.digest(ctx)
	if err != nil {
		return err
	}
	one := func(what string) error {
		fmt.Fprintln(errs, "rebuilding", what)
		debug.FreeOSMemory()
		// The peak counts from here (proc_pid_clear_refs(5)).
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
			return fmt.Errorf("resetting the peak of our memory: %w", err)
		}
		began := time.Now()
		found, err := service.Rebuild(ctx, p.tenant)
		if err != nil {
			return err
		}
		b := rebuilt{What: what, Checked: found.Checked, Changed: found.Changed, Skipped: found.Skipped, Seconds: time.Since(began).Seconds()}
		if b.Memory, err = kilobytes("/proc/self/status", "VmHWM"); err != nil {
			return fmt.Errorf("reading our memory: %w", err)
		}
		backends, err := p.memory(ctx)
		if err != nil {
			return err
		}
		for _, backend := range backends {
			peak, err := kilobytes(fmt.Sprintf("/proc/%d/status", backend.PID), "VmHWM")
			if err != nil {
				return fmt.Errorf("reading a backend's memory: %w", err)
			}
			b.Backend = max(b.Backend, peak)
		}
		if b.Digest, err = p.digest(ctx); err != nil {
			return err
		}
		b.Equal = b.Digest == before
		r.Rebuilds = append(r.Rebuilds, b)
		return nil
	}
	if err := one("of a graph that is right"); err != nil {
		return err
	}
	for _, sql := range damages {
		tag, err := p.admin.Exec(ctx, p.expand(sql))
		if err != nil {
			return fmt.Errorf("damaging: %w", err)
		}
		fmt.Fprintln(errs, tag.RowsAffected(), "rows damaged")
	}
	damaged, err := p.digest(ctx)
	if err != nil {
		return err
	}
	if damaged == before {
		return fmt.Errorf("the damage does not show in the digest")
	}
	return one("of a graph that was damaged")
}

// digest is one number of the whole graph: the sum of the hashes of its
// elements, in whatever order they come.
func (p *place) digest(ctx context.Context) (string, error) {
	var sum [4]uint64
	add := func(parts ...any) {
		text, err := json.Marshal(parts) // sorts the properties; they are plain values
		if err != nil {
			panic(err)
		}
		hash := sha256.Sum256(text)
		for i := range sum {
			sum[i] += binary.BigEndian.Uint64(hash[8*i:])
		}
	}
	err := p.db.Read(ctx, p.tenant, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
		return graph.Each(ctx, tx, p.tenant, func(v cmdb.Vertex) { add(v.Label, v.Key, v.Props) },
			func(e cmdb.Edge) { add(e.Type, e.From.Key, e.To.Key, e.Props) })
	})
	if err != nil {
		return "", fmt.Errorf("digesting the graph: %w", err)
	}
	return fmt.Sprintf("%016x%016x%016x%016x", sum[0], sum[1], sum[2], sum[3]), nil
}
