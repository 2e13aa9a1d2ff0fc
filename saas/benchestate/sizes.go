package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy/store"
)

// size of a class of tables.
type size struct {
	Class   string  `json:"class"`
	Rows    int64   `json:"rows"`
	Heap    int64   `json:"heap_bytes"`
	Indexes int64   `json:"index_bytes"`
	PerRow  float64 `json:"bytes_per_row"`
}

func (p *place) sizes(ctx context.Context) ([]size, error) {
	rows, err := p.admin.Query(ctx, `
		WITH t AS (
			SELECT CASE
				WHEN n.nspname = $1 AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'start_id') THEN 'graph: edges'
				WHEN n.nspname = $1 THEN 'graph: vertices'
				WHEN c.relname LIKE 'fact\_versions%' THEN 'history: versions of facts'
				WHEN c.relname LIKE 'undo%' THEN 'history: undo of the graph'
				WHEN c.relname = 'fact_bodies' THEN 'facts: bodies'
				WHEN c.relname = 'facts' THEN 'facts: which host has which'
				ELSE 'the rest' END AS class, greatest(c.reltuples, 0) AS rows, pg_table_size(c.oid) AS heap, pg_indexes_size(c.oid) AS indexes
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname IN ($1, 'assim'))
		SELECT class, sum(rows)::bigint, sum(heap)::bigint, sum(indexes)::bigint, coalesce(sum(heap + indexes) / nullif(sum(rows), 0), 0)::float8
		FROM t GROUP BY 1 ORDER BY 1`, store.Graph(p.tenant))
	if err != nil {
		return nil, fmt.Errorf("sizing tables: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[size])
}

// backend is one of the server's processes that serve us. Its own memory leaves
// out the buffers that all share.
type backend struct {
	Login string `json:"login"`
	PID   int    `json:"pid"`
	Own   int64  `json:"own_bytes"`
}

// memory reads the backends of the database, which must run on this machine.
func (p *place) memory(ctx context.Context) ([]backend, error) {
	rows, err := p.admin.Query(ctx, `SELECT regexp_replace(usename, '^.*_login_', ''), pid, 0::bigint FROM pg_stat_activity WHERE datname = current_database() AND usename IS NOT NULL ORDER BY 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("listing backends: %w", err)
	}
	backends, err := pgx.CollectRows(rows, pgx.RowToStructByPos[backend])
	if err != nil {
		return nil, fmt.Errorf("listing backends: %w", err)
	}
	for i := range backends {
		if backends[i].Own, err = kilobytes(fmt.Sprintf("/proc/%d/smaps_rollup", backends[i].PID), "Private_Clean", "Private_Dirty"); err != nil {
			return nil, fmt.Errorf("reading a backend's memory: %w", err)
		}
	}
	return backends, nil
}

// kilobytes adds up fields of a file as those of /proc (proc_pid_smaps(5)), in
// bytes.
func kilobytes(file string, names ...string) (sum int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		for _, wanted := range names {
			if name == wanted {
				n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				if err != nil {
					return 0, fmt.Errorf("%s of %s: %w", name, file, err)
				}
				sum += n << 10
			}
		}
	}
	return sum, nil
}
