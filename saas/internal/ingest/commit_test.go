package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/discovery/os"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
	"assimilation/wire"
)

// cutter stands between a service and its database, and breaks a connection that
// commits: before the server hears of it, or before the client hears the answer.
type cutter struct {
	server string
	mode   atomic.Int32 // 0 passes all; it falls back to that after one cut
}

const (
	cutBefore = 1
	cutAfter  = 2
)

// commit is the simple query message that pgx sends.
var commit = []byte("Q\x00\x00\x00\x0bcommit\x00")

func (c *cutter) serve(client net.Conn) {
	server, err := net.Dial("tcp", c.server)
	if err != nil {
		client.Close()
		return
	}
	var cut atomic.Bool
	done := make(chan struct{})
	go func() { // answers
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			n, err := server.Read(b)
			if err != nil || cut.Load() {
				client.Close()
				if err == nil {
					io.Copy(io.Discard, server) // the server ends in its own time
				}
				return
			}
			client.Write(b[:n])
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			server.Close()
			<-done
			return
		}
		if bytes.Contains(bytes.ToLower(b[:n]), bytes.ToLower(commit)) {
			switch c.mode.Swap(0) {
			case cutBefore:
				client.Close()
				server.Close()
				<-done
				return
			case cutAfter:
				cut.Store(true)
			}
		}
		server.Write(b[:n])
	}
}

// TestALostCommitIsNeitherLostNorTwice: whether a commit whose answer is lost has
// happened is unknown to the service, so it does not acknowledge; and the relay
// sends again.
func TestALostCommitIsNeitherLostNorTwice(t *testing.T) {
	direct := newFixture(t)
	address, err := url.Parse(direct.url)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := &cutter{server: address.Host}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	address.Host = listener.Addr().String()
	query := address.Query()
	query.Set("sslmode", "disable")
	address.RawQuery = query.Encode()
	db, err := store.Open(t.Context(), store.Config{AdminURL: address.String(), Passwords: storetest.Passwords, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	service, err := New(db, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	through := &fixture{db, direct.url, direct.tenant, service}
	r := direct.relay(t)
	p := r.probe(t, "a")
	r.flush(t)
	for i, mode := range []int32{cutBefore, cutAfter, cutBefore, cutAfter} {
		name := fmt.Sprint("cut ", i)
		p.put(t, os.Kind, "", osFacts(fmt.Sprint(i)))
		n := uint64(len(r.records))
		header, payload := r.batch(t, n, n)
		c.mode.Store(mode)
		_, err := through.service.Apply(context.Background(), r.source, header, payload)
		if _, refused := errors.AsType[*wire.Error](err); err == nil || refused {
			t.Fatalf("%s: acknowledged, or refused for good: %v", name, err)
		}
		if c.mode.Load() != 0 {
			t.Fatalf("%s: no commit was seen", name)
		}
		ack, err := through.service.Apply(context.Background(), r.source, header, payload)
		if err != nil || ack.Position != n {
			t.Fatalf("%s: sent again: %+v, %v", name, ack, err)
		}
		if taken := strings.Contains(ack.Detail, "taken before"); taken != (mode == cutAfter) {
			t.Errorf("%s: the second answer says %q", name, ack.Detail)
		}
	}
	direct.consistent(t)
	versions := 0
	direct.in(t, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM assim.fact_versions`).Scan(&versions)
	})
	if versions != 4 {
		t.Errorf("%d versions, want 4", versions)
	}
}
