// Package graph writes differences of elements into a tenant's graph, set by set
// and straight into AGE's label tables: Cypher's own writes cost a scan of the
// table for every row. Beside each change it keeps the image before, with natural
// keys, so that current state and undo together answer "as of".
//
// There is one writer per tenant at a time: the caller holds the tenant's lock.
package graph

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Writer applies deltas. It remembers each graph's label ids, which never
// change; it is safe for use by many goroutines.
type Writer struct {
	mu     sync.Mutex
	labels map[tenancy.TenantID]map[string]int32
}

// NewWriter returns a Writer that knows no graph yet.
func NewWriter() *Writer {
	return &Writer{labels: map[tenancy.TenantID]map[string]int32{}}
}

// Stats counts what a batch of deltas did.
type Stats struct {
	Vertices, Edges Counts
}

// Counts of one sort of element. Same were put but said already; Gone includes
// what was swept.
type Counts struct {
	New, Changed, Same, Gone int64
}

// Written is how many elements differ from before.
func (s Stats) Written() int64 {
	return s.Vertices.New + s.Vertices.Changed + s.Vertices.Gone + s.Edges.New + s.Edges.Changed + s.Edges.Gone
}

func (c *Counts) add(created, changed, same int64) {
	c.New += created
	c.Changed += changed
	c.Same += same
}

// Apply makes the tenant's graph say what the deltas want, in their order, and
// records under the time at what was there before. What a shared vertex implies
// is written with the vertex only: where the vertex stands already, so does the
// rest. At last it sweeps shared vertices that lost their last edge.
func (w *Writer) Apply(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, deltas []cmdb.Delta, at time.Time) (Stats, error) {
	return w.apply(ctx, tx, tenant, deltas, at, false)
}

// Repair is Apply for a graph that may be damaged: it takes nothing for granted.
func (w *Writer) Repair(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, deltas []cmdb.Delta, at time.Time) (Stats, error) {
	return w.apply(ctx, tx, tenant, deltas, at, true)
}

func (w *Writer) apply(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, deltas []cmdb.Delta, at time.Time, thorough bool) (Stats, error) {
	wanted := merge(deltas)
	if wanted.empty() {
		return Stats{}, nil
	}
	labels, err := w.labelIDs(ctx, tx, tenant)
	if err != nil {
		return Stats{}, err
	}
	b := &batch{tx: tx, tenant: tenant, graph: store.Graph(tenant), at: at, labels: labels, swept: map[cmdb.Label]map[int64]bool{}}
	// The planner knows nothing of the arrays' sizes: it would hash whole tables.
	if _, err := tx.Exec(ctx, `SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off`); err != nil {
		return Stats{}, fmt.Errorf("setting up the writer of graph %s: %w", b.graph, err)
	}
	if !thorough {
		if err := b.skipImplied(ctx, wanted); err != nil {
			return Stats{}, err
		}
	}
	for _, step := range []func(context.Context, *work) error{
		b.put, b.removeEdges, b.removeVertices, b.sweep,
	} {
		if err := step(ctx, wanted); err != nil {
			return Stats{}, err
		}
	}
	return b.stats, nil
}

// labelIDs reads the graph's label ids once per process.
func (w *Writer) labelIDs(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) (map[string]int32, error) {
	w.mu.Lock()
	known := w.labels[tenant]
	w.mu.Unlock()
	if known != nil {
		return known, nil
	}
	rows, err := tx.Query(ctx, `SELECT name, id FROM assim.labels`)
	if err != nil {
		return nil, fmt.Errorf("reading the labels of tenant %s: %w", tenant, err)
	}
	known = map[string]int32{}
	var name string
	var id int32
	if _, err := pgx.ForEachRow(rows, []any{&name, &id}, func() error { known[name] = id; return nil }); err != nil {
		return nil, fmt.Errorf("reading the labels of tenant %s: %w", tenant, err)
	}
	for _, v := range cmdb.Vertices {
		if known[string(v.Label)] == 0 {
			return nil, fmt.Errorf("graph of tenant %s has no label %s: migrate the database", tenant, v.Label)
		}
	}
	for _, e := range cmdb.Edges {
		if known[string(e.Type)] == 0 {
			return nil, fmt.Errorf("graph of tenant %s has no label %s: migrate the database", tenant, e.Type)
		}
	}
	w.mu.Lock()
	w.labels[tenant] = known
	w.mu.Unlock()
	return known, nil
}

// batch is one Apply.
type batch struct {
	tx     pgx.Tx
	tenant tenancy.TenantID
	graph  string
	at     time.Time
	labels map[string]int32
	stats  Stats
	// swept holds the ids of shared vertices that may have lost their last edge.
	swept map[cmdb.Label]map[int64]bool
}

// The steps of a batch, as undo records them: an element may be touched once in
// each, all at the same time.
const (
	stepPut    = 1
	stepRemove = 2
	stepSweep  = 3
)

// put sends all that is to be put at once: the edges' statements see the vertices
// that the ones before them wrote.
func (b *batch) put(ctx context.Context, w *work) error {
	queue := &pgx.Batch{}
	if err := b.putVertices(queue, w); err != nil {
		return err
	}
	if err := b.putEdges(queue, w); err != nil {
		return err
	}
	return b.tx.SendBatch(ctx, queue).Close()
}

func (b *batch) mayBeSwept(label cmdb.Label, id int64) {
	if !cmdb.IsShared(label) {
		return
	}
	if b.swept[label] == nil {
		b.swept[label] = map[int64]bool{}
	}
	b.swept[label][id] = true
}
