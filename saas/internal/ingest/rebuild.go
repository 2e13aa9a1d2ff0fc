package ingest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery"
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
		is, err := graph.Read(ctx, tx, tenant)
		if err != nil {
			return err
		}
		delta, checked := difference(is, wanted)
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
func (s *Service) expected(ctx context.Context, tx pgx.Tx) (all []cmdb.Elements, skipped int64, err error) {
	rows, err := tx.Query(ctx, selectHosts+` WHERE h.retired_at IS NULL`)
	if err != nil {
		return nil, 0, fmt.Errorf("reading hosts: %w", err)
	}
	hosts, err := pgx.CollectRows(rows, scanHost)
	if err != nil {
		return nil, 0, fmt.Errorf("reading hosts: %w", err)
	}
	parts := make(map[tenancy.HostID][]projection, len(hosts))
	refs := make(map[tenancy.HostID]discovery.HostRef, len(hosts))
	for _, h := range hosts {
		parts[h.ID], refs[h.ID] = []projection{{"", h.elements}}, h.ref()
	}
	err = s.eachFact(ctx, tx, nil, func(host tenancy.HostID, f discovery.Fact) error {
		ref, known := refs[host]
		if !known {
			return nil
		}
		e, err := project(ref, f)
		if err != nil {
			skipped++
			s.log.Warn("fact left out of the graph", "host", host, "kind", f.Kind, "instance", f.Instance, "error", err)
			return nil
		}
		parts[host] = append(parts[host], projection{f.Kind, e})
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	for _, p := range parts {
		all = append(all, joined(p))
	}
	return all, skipped, nil
}

// eachFact reads the current facts with their bodies, of one host or of all. A
// body that is damaged is nil: no kind understands that.
func (s *Service) eachFact(ctx context.Context, tx pgx.Tx, host *tenancy.HostID, fn func(tenancy.HostID, discovery.Fact) error) error {
	rows, err := tx.Query(ctx, `
		SELECT f.host, f.kind, f.instance, f.hash, b.schema, b.body
		FROM assim.facts f JOIN assim.fact_bodies b ON b.tenant = f.tenant AND b.hash = f.hash
		WHERE $1::uuid IS NULL OR f.host = $1 ORDER BY f.host, f.kind, f.instance`, host)
	if err != nil {
		return fmt.Errorf("reading facts: %w", err)
	}
	var owner tenancy.HostID
	var f discovery.Fact
	var hash, packed []byte
	_, err = pgx.ForEachRow(rows, []any{&owner, &f.Kind, &f.Instance, &hash, &f.Version, &packed}, func() error {
		f.Hash = discovery.Hash(hash)
		var err error
		if f.Body, err = s.unpack.DecodeAll(packed, nil); err != nil {
			s.log.Error("a stored body is damaged", "hash", f.Hash, "error", err)
			f.Body = nil
		}
		return fn(owner, f)
	})
	if err != nil {
		return fmt.Errorf("reading facts: %w", err)
	}
	return nil
}

// difference is what must be done so that the graph, which says is, says wanted:
// unlike cmdb.Diff it also names shared vertices and implied edges that are too
// many. checked counts the elements wanted.
func difference(is cmdb.Elements, wanted []cmdb.Elements) (d cmdb.Delta, checked int64) {
	vertices, edges := map[cmdb.Ref]map[string]any{}, map[cmdb.EdgeRef]map[string]any{}
	for _, part := range wanted {
		for _, v := range part.Vertices {
			if _, ok := vertices[v.Ref]; !ok {
				vertices[v.Ref] = v.Props
			}
		}
		for _, e := range part.Edges {
			if _, ok := edges[e.Ref()]; !ok {
				edges[e.Ref()] = e.Props
			}
		}
	}
	checked = int64(len(vertices) + len(edges))
	same := func(a, b map[string]any) bool {
		return maps.EqualFunc(a, b, func(x, y any) bool { return reflect.DeepEqual(x, y) })
	}
	for _, v := range is.Vertices {
		props, ok := vertices[v.Ref]
		switch {
		case !ok:
			d.GoneVertices = append(d.GoneVertices, v.Ref)
		case same(props, v.Props):
			delete(vertices, v.Ref)
		}
	}
	for _, e := range is.Edges {
		props, ok := edges[e.Ref()]
		switch {
		case !ok:
			d.GoneEdges = append(d.GoneEdges, e.Ref())
		case same(props, e.Props):
			delete(edges, e.Ref())
		}
	}
	for ref, props := range vertices {
		d.PutVertices = append(d.PutVertices, cmdb.Vertex{Ref: ref, Props: props})
	}
	for ref, props := range edges {
		d.PutEdges = append(d.PutEdges, cmdb.Edge{Type: ref.Type, From: ref.From, To: ref.To, Props: props})
	}
	return d, checked
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
	parts := []projection{{"", h.elements}}
	err = s.eachFact(ctx, tx, &id, func(_ tenancy.HostID, f discovery.Fact) error {
		e, err := project(h.ref(), f)
		if err == nil {
			parts = append(parts, projection{f.Kind, e})
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
