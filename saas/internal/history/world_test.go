package history_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/discovery"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/saas/internal/ingest"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
	"assimilation/uplink"
	"assimilation/wire"
)

// estate is a tenant with one relay's stream, taken in by the real service.
type estate struct {
	db      *store.DB
	url     string
	source  ingest.Source
	service *ingest.Service

	waiting [][]byte // records that were not sent
	sent    uint64
	chain   uplink.Chain
	version uint64
}

const epoch = 7

func newEstate(t testing.TB) *estate {
	t.Helper()
	db, url := storetest.OpenURL(t)
	service, err := ingest.New(db, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return newTenant(t, &estate{db: db, url: url, service: service})
}

// newTenant is another tenant of the same service.
func newTenant(t testing.TB, of *estate) *estate {
	t.Helper()
	e := &estate{db: of.db, url: of.url, service: of.service}
	e.source = ingest.Source{Tenant: storetest.Tenant(t, e.db), Site: tenancy.NewID[tenancy.SiteID](), Relay: tenancy.NewID[tenancy.RelayID]()}
	e.chain = uplink.ChainStart(e.source.Relay, epoch)
	e.in(t, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES ($1, $2, 'paris', $3, $4, '')`,
			e.source.Site, e.source.Tenant, e.source.Site.String(), e.source.Site.UUID[:])
		if err == nil {
			_, err = tx.Exec(t.Context(), `INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate)
				VALUES ($1, $2, $3, 'r', '', '', $4, '', '')`, e.source.Relay, e.source.Tenant, e.source.Site, e.source.Relay.UUID[:])
		}
		return err
	})
	return e
}

func (e *estate) in(t testing.TB, fn func(pgx.Tx) error) {
	t.Helper()
	if err := e.db.In(context.Background(), e.source.Tenant, fn); err != nil {
		t.Fatal(err)
	}
}

func (e *estate) read(t testing.TB, fn func(pgx.Tx) error) {
	t.Helper()
	if err := e.db.Read(context.Background(), e.source.Tenant, fn); err != nil {
		t.Fatal(err)
	}
}

// admin runs a statement as the superuser, behind the store's back.
func (e *estate) admin(t testing.TB, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), e.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (e *estate) add(t testing.TB, c uplink.Change) {
	t.Helper()
	c.Seq, c.SeenAt = e.sent+uint64(len(e.waiting))+1, time.Now().UnixMilli()
	record, err := uplink.EncodeRecord(c)
	if err != nil {
		t.Fatal(err)
	}
	e.waiting = append(e.waiting, record)
}

// flush sends what waits, in batches of at most 500 records, and returns the
// time of the last one's effect.
func (e *estate) flush(t testing.TB) (at time.Time) {
	t.Helper()
	for len(e.waiting) > 0 {
		records := e.waiting[:min(500, len(e.waiting))]
		payload, err := uplink.EncodeBatch(records)
		if err != nil {
			t.Fatal(err)
		}
		before := e.chain
		for _, r := range records {
			e.chain = uplink.ChainNext(e.chain, r)
		}
		last := e.sent + uint64(len(records))
		header := uplink.Header{Purpose: uplink.PurposeBatch, Relay: e.source.Relay, Epoch: epoch, First: e.sent + 1, Last: last,
			Prev: before[:], Chain: e.chain[:], Nonce: uplink.NewNonce()}
		ack, err := e.service.Apply(context.Background(), e.source, header, payload)
		if err != nil || ack.Reason != wire.Accepted || ack.Position != last {
			t.Fatalf("batch of records %d to %d: %+v, %v", e.sent+1, last, ack, err)
		}
		e.sent, e.waiting = last, e.waiting[len(records):]
	}
	e.read(t, func(tx pgx.Tx) error { return tx.QueryRow(t.Context(), `SELECT at FROM assim.writers`).Scan(&at) })
	return at
}

func (e *estate) host(t testing.TB, name string) tenancy.HostID {
	t.Helper()
	id := tenancy.NewID[tenancy.HostID]()
	key := sha256.Sum256([]byte(id.String()))
	e.add(t, uplink.Change{Type: uplink.HostState, Host: id, HostState: &uplink.HostStateBody{
		State: uplink.Up, Name: name, AgentVersion: "1.0", OS: "linux", Arch: "amd64", ProbeKey: key[:], Enrolled: true, Labels: map[string]string{}}})
	return id
}

func (e *estate) put(t testing.TB, host tenancy.HostID, kind discovery.Kind, instance string, body any) {
	t.Helper()
	f, err := discovery.NewFact(kind, instance, body)
	if err != nil {
		t.Fatal(err)
	}
	e.version++
	e.add(t, uplink.Change{Type: uplink.FactPut, Host: host, Kind: kind.Name, Instance: instance, Term: 1, Version: e.version,
		Schema: uint8(f.Version), Hash: f.Hash[:], Body: f.Body})
}

func (e *estate) drop(t testing.TB, host tenancy.HostID, kind, instance string) {
	t.Helper()
	e.version++
	e.add(t, uplink.Change{Type: uplink.FactGone, Host: host, Kind: kind, Instance: instance, Term: 1, Version: e.version})
}

func release(version string) os.Facts {
	return os.Facts{Release: os.Release{ID: "debian", VersionID: version}, Kernel: os.Kernel{Name: "Linux", Release: "6.1", Machine: "x86_64"}}
}

func link(name, ip string) network.Facts {
	return network.Facts{Routes: []network.Route{}, Links: []network.Link{{Name: name, Type: "ether", MAC: "02:00:00:00:00:01", MTU: 1500, AdminUp: true, OperState: "up",
		Addresses: []network.Address{{IP: ip, Prefix: 24, Scope: "global"}}}}}
}

// serving is a service that listens at one address and uses another.
func serving(name, listens string, port int64, uses string, usedPort int64) sockets.Facts {
	return sockets.Facts{Services: []sockets.Service{{Name: name, Exe: "/bin/" + name,
		Listens:  []sockets.Listen{{Protocol: "tcp", IP: listens, Port: port}},
		Connects: []sockets.Connect{{Protocol: "tcp", IP: uses, Port: usedPort}}}}}
}

func installed(name, version string) packages.Facts {
	return packages.Facts{Manager: "dpkg", Packages: []packages.Package{{Name: name, Version: version, Arch: "amd64"}}}
}

func address(n int) string { return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255) }
