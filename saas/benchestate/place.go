package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

// place is a database with one tenant, and the service that serves it.
type place struct {
	server string // administrator's URL of the server
	name   string // of the database
	url    string
	admin  *pgx.Conn
	db     *store.DB
	tenant tenancy.TenantID
	token  string // of the tenant's owner
	base   string // URL of the service
	stop   func() error
}

// Who signs up. The service listens on loopback only, for as long as we run.
const (
	email    = "owner@estate.example"
	password = "a password of a benchmark"
)

// open makes the database, or finds it, and starts the service on it.
func open(ctx context.Context, o options) (*place, error) {
	u, err := url.Parse(o.server)
	if err != nil {
		return nil, fmt.Errorf("reading the server's URL: %w", err)
	}
	p := &place{server: o.server, name: fmt.Sprintf("assim_estate_%d_%d", o.hosts, o.seed)}
	u.Path = "/" + p.name
	p.url = u.String()
	if err := p.create(ctx, o.keep); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.state, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder for the master key: %w", err)
	}
	keyFile := filepath.Join(o.state, "master.key")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	config := saas.Config{DatabaseURL: p.url, MasterKeyFile: keyFile, Listen: listener.Addr().String(), Downloads: o.state, Version: "benchmark"}
	p.base = "http://" + config.Listen
	if err := errors.Join(listener.Close(), saas.Migrate(ctx, config)); err != nil {
		return nil, err
	}
	master, err := keys.Load(keyFile)
	if err != nil {
		return nil, err
	}
	if p.admin, err = pgx.Connect(ctx, p.url); err != nil {
		return nil, fmt.Errorf("connecting to database %s: %w", p.name, err)
	}
	// Nobody mourns what a crash would lose.
	for _, sql := range []string{`ALTER DATABASE ` + pgx.Identifier{p.name}.Sanitize() + ` SET synchronous_commit = off`, `SET session_replication_role = replica`, `SET search_path = assim, ag_catalog`} {
		if _, err := p.admin.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("setting up database %s: %w", p.name, err)
		}
	}
	if p.db, err = store.Open(ctx, store.Config{AdminURL: p.url, Passwords: master.Derive, MaxConns: 4}); err != nil {
		return nil, err
	}
	if err := p.serve(ctx, config); err != nil {
		return nil, err
	}
	return p, p.signUp(ctx)
}

// create makes the database; one that a run left unfinished is made anew.
func (p *place) create(ctx context.Context, keep bool) error {
	server, err := pgx.Connect(ctx, p.server)
	if err != nil {
		return fmt.Errorf("connecting to the database server: %w", err)
	}
	defer server.Close(ctx)
	var exists bool
	if err := server.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, p.name).Scan(&exists); err != nil {
		return fmt.Errorf("looking for database %s: %w", p.name, err)
	}
	if exists && keep && p.full(ctx) {
		return nil
	}
	if exists {
		if err := drop(ctx, server, p.name); err != nil {
			return err
		}
	}
	if _, err := server.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{p.name}.Sanitize()); err != nil {
		return fmt.Errorf("making database %s: %w", p.name, err)
	}
	return nil
}

// full reports whether the whole estate is in the database.
func (p *place) full(ctx context.Context) bool {
	conn, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return false
	}
	defer conn.Close(ctx)
	var full bool
	return conn.QueryRow(ctx, `SELECT to_regclass('public.estate_loaded') IS NOT NULL`).Scan(&full) == nil && full
}

// drop removes a database and the roles that came with it.
func drop(ctx context.Context, server *pgx.Conn, name string) error {
	rows, err := server.Query(ctx, `
		SELECT quote_ident(rolname) FROM pg_roles WHERE starts_with(rolname, $1)
		UNION
		SELECT quote_ident(r.rolname) FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.refobjid
		WHERE d.datname = $2 AND s.refclassid = 'pg_authid'::regclass AND r.rolname ~ '^[rw]_[0-9a-f]{32}$'`, store.RolePrefix(name), name)
	if err != nil {
		return fmt.Errorf("listing the roles of database %s: %w", name, err)
	}
	roles, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("listing the roles of database %s: %w", name, err)
	}
	if _, err := server.Exec(ctx, `DROP DATABASE `+pgx.Identifier{name}.Sanitize()+` WITH (FORCE)`); err != nil {
		return fmt.Errorf("dropping database %s: %w", name, err)
	}
	for _, role := range roles {
		if _, err := server.Exec(ctx, `DROP ROLE `+role); err != nil {
			return fmt.Errorf("dropping role %s: %w", role, err)
		}
	}
	return nil
}

// serve runs the service until close.
func (p *place) serve(ctx context.Context, config saas.Config) error {
	service, err := saas.New(ctx, config, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	p.stop = func() error {
		cancel()
		err := <-ended
		service.Close()
		return err
	}
	ready := time.NewTicker(50 * time.Millisecond)
	defer ready.Stop()
	for {
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("the service ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-ready.C:
			if _, err := p.get(ctx, "/readyz", ""); err == nil {
				return nil
			}
		}
	}
}

// signUp makes the tenant, or logs in to it.
func (p *place) signUp(ctx context.Context) error {
	who := map[string]string{"email": email, "password": password, "tenant": "Estate"}
	path := "/v1/signup"
	err := p.admin.QueryRow(ctx, `SELECT id FROM assim.tenants`).Scan(&p.tenant)
	if err == nil {
		path = "/v1/login"
	}
	body, err := json.Marshal(who)
	if err != nil {
		return fmt.Errorf("signing up: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("signing up: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("signing up: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("signing up: %w", err)
	}
	var entered struct{ Token string }
	if err := json.Unmarshal(text, &entered); err != nil || answer.StatusCode >= 300 || entered.Token == "" {
		return fmt.Errorf("signing up: %s: %.300s", answer.Status, text)
	}
	p.token = entered.Token
	if err := p.admin.QueryRow(ctx, `SELECT id FROM assim.tenants`).Scan(&p.tenant); err != nil {
		return fmt.Errorf("finding the tenant: %w", err)
	}
	return nil
}

// get reads a page or an answer of the API, which must succeed.
func (p *place) get(ctx context.Context, path, accept string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", path, err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", path, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %.300s", path, answer.Status, body)
	}
	return body, nil
}

// close stops the service and, unless it is kept, drops the database.
func (p *place) close(ctx context.Context, keep bool) error {
	err := p.stop()
	p.db.Close()
	err = errors.Join(err, p.admin.Close(ctx))
	if keep {
		return err
	}
	server, failed := pgx.Connect(ctx, p.server)
	if failed != nil {
		return errors.Join(err, failed)
	}
	defer server.Close(ctx)
	return errors.Join(err, drop(ctx, server, p.name))
}
