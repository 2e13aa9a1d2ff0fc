package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"assimilation/tenancy"
)

// ErrUnknownTenant is the error of a transaction for a tenant that was never
// provisioned, or is being dropped.
var ErrUnknownTenant = errors.New("unknown tenant")

// In runs fn in a transaction as the tenant's writer and commits it when fn
// returns nil. It is not retried.
func (db *DB) In(ctx context.Context, tenant tenancy.TenantID, fn func(pgx.Tx) error) error {
	return db.run(ctx, db.writer, "BEGIN; SET LOCAL ROLE "+quote(writerRole(tenant)), fn)
}

// Read runs fn in a read-only snapshot as the tenant's reader.
func (db *DB) Read(ctx context.Context, tenant tenancy.TenantID, fn func(pgx.Tx) error) error {
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL ROLE " + quote(readerRole(tenant))
	return db.run(ctx, db.reader, begin, fn)
}

// boundedTimeout ends a statement that people made up, see ReadBounded.
const boundedTimeout = 5 * time.Second

// Memory is what a statement that people made up may use of it.
type Memory struct {
	Sort  int // bytes for each sort and each hash; what is beyond goes to disk, see cypher.sql
	Value int // bytes of a value that a function of schema cypher makes
}

// ReadBounded is Read for statements that people made up: with less time, less
// memory and one processor, and always rolled back. Planning, which no timeout
// ends, tries the orders of up to eight tables, and guesses for more; nothing
// is translated to machine code, which no timeout ends either.
func (db *DB) ReadBounded(ctx context.Context, tenant tenancy.TenantID, memory Memory, fn func(pgx.Tx) error) error {
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL ROLE " + quote(readerRole(tenant)) +
		"; SET LOCAL statement_timeout = " + milliseconds(boundedTimeout) +
		"; SET LOCAL work_mem = " + strconv.Itoa(memory.Sort>>10) + "; SET LOCAL hash_mem_multiplier = 1" +
		"; SET LOCAL cypher.most = " + strconv.Itoa(memory.Value) +
		"; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL geqo_threshold = 9; SET LOCAL jit = off"
	done := errors.New("rolled back")
	err := db.run(ctx, db.reader, begin, func(tx pgx.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return done
	})
	if err == done {
		return nil
	}
	return err
}

// Global runs fn in a transaction that sees people, their memberships, sessions
// and API tokens, the list of tenants, assim.tenant_of_relay and
// assim.tenants_with_silent_relays; nothing else of a tenant.
func (db *DB) Global(ctx context.Context, fn func(pgx.Tx) error) error {
	return db.run(ctx, db.global, "BEGIN", fn)
}

func (db *DB) run(ctx context.Context, pool *pgxpool.Pool, begin string, fn func(pgx.Tx) error) error {
	name, _, _ := strings.Cut(begin, ";")
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("assimilation/tenancy/store").Start(ctx, name, trace.WithAttributes(semconv.DBSystemNamePostgreSQL))
	defer span.End()
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		if shutOutOf(err) {
			return ErrUnknownTenant
		}
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	// After a commit this does nothing; after an error or a panic of fn it must
	// happen even when ctx is over.
	defer tx.Rollback(context.WithoutCancel(ctx))
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// invalidRole is invalid_parameter_value: what SET ROLE says of a role that does
// not exist.
const invalidRole = "22023"
