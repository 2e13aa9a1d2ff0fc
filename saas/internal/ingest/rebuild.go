package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/projectors"
	"assimilation/saas/internal/graph"
	"assimilation/tenancy"
)

// Report says what a rebuild found.
type Report struct {
	Checked int64 // elements that the facts ask for
	Changed int64 // elements that were missing, different or too many
	Skipped int64 // facts that this program can no longer project
}

// Rebuild projects all facts of a tenant anew and writes what differs in the
// graph. Facts are the truth; after this the graph says what they say.
func (s *Service) Rebuild(ctx context.Context, tenant tenancy.TenantID) (Report, error) {
	var report Report
	err := s.write(ctx, tenant, func(tx pgx.Tx, at time.Time) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
		removed, err := graph.Clean(ctx, tx, tenant)
		if err != nil {
			return err
		}
		wanted, skipped, err := s.expected(ctx, tx)
		if err != nil {
			return err
		}
		checked := int64(len(wanted.vertices) + len(wanted.edges))
		delta := cmdb.Delta{}
		// What is read is compared and forgotten: a large graph is in memory once.
		if err := graph.Each(ctx, tx, tenant, func(v cmdb.Vertex) { wanted.vertex(v, &delta) }, func(e cmdb.Edge) { wanted.edge(e, &delta) }); err != nil {
			return err
		}
		wanted.missing(&delta)
		stats, err := s.graph.Repair(ctx, tx, tenant, []cmdb.Delta{delta}, at)
		if err != nil {
			return err
		}
		report = Report{checked, removed + stats.Written(), skipped}
		return nil
	})
	if err != nil {
		return Report{}, fmt.Errorf("rebuilding the graph of tenant %s: %w", tenant, err)
	}
	s.log.Info("graph rebuilt", "tenant", tenant, "checked", report.Checked, "changed", report.Changed, "skipped", report.Skipped)
	return report, nil
}

// expected is what all facts of the tenant say together.
func (s *Service) expected(ctx context.Context, tx pgx.Tx) (all elements, skipped int64, err error) {
	all = elements{map[cmdb.Ref]map[string]any{}, map[cmdb.EdgeRef]map[string]any{}}
	rows, err := tx.Query(ctx, selectHosts+` WHERE h.retired_at IS NULL`)
	if err != nil {
		return all, 0, fmt.Errorf("reading hosts: %w", err)
	}
	hosts, err := pgx.CollectRows(rows, scanHost)
	if err != nil {
		return all, 0, fmt.Errorf("reading hosts: %w", err)
	}
	refs := make(map[tenancy.HostID]discovery.HostRef, len(hosts))
	for _, h := range hosts {
		refs[h.ID] = h.ref()
		all.add(h.elements)
	}
	// Facts come host by host.
	var of tenancy.HostID
	var parts []cmdb.Elements
	var memo projectors.Memo
	err = s.eachFact(ctx, tx, nil, func(host tenancy.HostID, f storedFact) error {
		ref, known := refs[host]
		if !known {
			return nil
		}
		if host != of {
			all.add(joined(parts))
			of, parts = host, nil
		}
		e, known := memo.Known(ref, f.Kind, f.Instance, f.Hash)
		if !known {
			var err error
			if e, err = memo.Project(ref, s.unpacked(f)); err != nil {
				skipped++
				s.log.Warn("fact left out of the graph", "host", host, "kind", f.Kind, "instance", f.Instance, "error", err)
				return nil
			}
		}
		parts = append(parts, e)
		return nil
	})
	if err != nil {
		return all, 0, err
	}
	all.add(joined(parts))
	return all, skipped, nil
}

// storedFact is a fact whose body is still packed.
type storedFact struct {
	discovery.Fact
	packed []byte
}

// unpacked is the fact with its body. One that is damaged is nil: no kind
// understands that.
func (s *Service) unpacked(f storedFact) discovery.Fact {
	var err error
	if f.Body, err = s.unpack.DecodeAll(f.packed, nil); err != nil {
		s.log.Error("a stored body is damaged", "hash", f.Hash, "error", err)
		f.Body = nil
	}
	return f.Fact
}

// eachFact reads the current facts, of one host or of all, host by host.
func (s *Service) eachFact(ctx context.Context, tx pgx.Tx, host *tenancy.HostID, fn func(tenancy.HostID, storedFact) error) error {
	rows, err := tx.Query(ctx, `
		SELECT f.host, f.kind, f.instance, f.hash, b.schema, b.body
		FROM assim.facts f JOIN assim.fact_bodies b ON b.tenant = f.tenant AND b.hash = f.hash
		WHERE $1::uuid IS NULL OR f.host = $1 ORDER BY f.host, f.kind, f.instance`, host)
	if err != nil {
		return fmt.Errorf("reading facts: %w", err)
	}
	var owner tenancy.HostID
	var f storedFact
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&owner, &f.Kind, &f.Instance, &hash, &f.Version, &f.packed}, func() error {
		f.Hash = discovery.Hash(hash)
		return fn(owner, f)
	})
	if err != nil {
		return fmt.Errorf("reading facts: %w", err)
	}
	return nil
}

// Forget takes all facts of a host, and its vertex, out of the estate; history
// keeps what they were. It runs in a writer's transaction of the tenant and makes
// it the tenant's only one. seen is the time that people see.
func (s *Service) Forget(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, id tenancy.HostID, seen time.Time) error {
	at, err := lock(ctx, tx, tenant)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, selectHosts+` WHERE h.id = $1`, id)
	if err != nil {
		return fmt.Errorf("reading host %s: %w", id, err)
	}
	h, err := pgx.CollectExactlyOneRow(rows, scanHost)
	if err != nil {
		return fmt.Errorf("reading host %s: %w", id, err)
	}
	parts := []cmdb.Elements{h.elements}
	err = s.eachFact(ctx, tx, &id, func(_ tenancy.HostID, f storedFact) error {
		e, err := project(h.ref(), s.unpacked(f))
		if err == nil {
			parts = append(parts, e)
		}
		return nil // what cannot be projected is in no graph
	})
	if err != nil {
		return err
	}
	delta := cmdb.Diff(joined(parts), cmdb.Elements{})
	if _, err := s.graph.Apply(ctx, tx, tenant, []cmdb.Delta{delta}, at); err != nil {
		return fmt.Errorf("taking host %s out of the graph: %w", id, err)
	}
	_, err = tx.Exec(ctx, `
		WITH gone AS (DELETE FROM assim.facts WHERE host = $1 RETURNING *)
		INSERT INTO assim.fact_versions (tenant, host, kind, instance, at, seen_at, hash, previous, term, version, relay, epoch, seq)
		SELECT tenant, host, kind, instance, $2, $3, NULL, hash, term, version, $4, 0, 0 FROM gone`, id, at, seen, h.Relay)
	if err != nil {
		return fmt.Errorf("taking out the facts of host %s: %w", id, err)
	}
	if _, err := tx.Exec(ctx, `UPDATE assim.findings SET closed_at = $2 WHERE host = $1 AND closed_at IS NULL`, id, seen); err != nil {
		return fmt.Errorf("closing the findings of host %s: %w", id, err)
	}
	return nil
}
