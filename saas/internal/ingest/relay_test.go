package ingest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/saas/internal/graph"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
	"assimilation/uplink"
	"assimilation/wire"
)

// fixture is a service with one tenant.
type fixture struct {
	db      *store.DB
	url     string
	tenant  tenancy.TenantID
	service *Service
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	db, url := storetest.OpenURL(t)
	service, err := New(db, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{db, url, storetest.Tenant(t, db), service}
}

func (f *fixture) in(t testing.TB, fn func(pgx.Tx) error) {
	t.Helper()
	if err := f.db.In(context.Background(), f.tenant, fn); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	f.in(t, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), sql, args...)
		return err
	})
}

func value[T any](t testing.TB, f *fixture, sql string, args ...any) (v T) {
	t.Helper()
	f.in(t, func(tx pgx.Tx) error { return tx.QueryRow(context.Background(), sql, args...).Scan(&v) })
	return v
}

func column[T any](t testing.TB, f *fixture, sql string, args ...any) (v []T) {
	t.Helper()
	f.in(t, func(tx pgx.Tx) error {
		rows, err := tx.Query(context.Background(), sql, args...)
		if err != nil {
			return err
		}
		v, err = pgx.CollectRows(rows, pgx.RowTo[T])
		return err
	})
	return v
}

// elements is the graph as sorted lines.
func (f *fixture) elements(t testing.TB) []string {
	t.Helper()
	var all cmdb.Elements
	f.in(t, func(tx pgx.Tx) error {
		return graph.Each(context.Background(), tx, f.tenant, func(v cmdb.Vertex) { all.Vertices = append(all.Vertices, v) },
			func(e cmdb.Edge) { all.Edges = append(all.Edges, e) })
	})
	var lines []string
	for _, v := range all.Vertices {
		lines = append(lines, fmt.Sprint(v.Label, " ", v.Key, " ", v.Props))
	}
	for _, e := range all.Edges {
		lines = append(lines, fmt.Sprint(e.From, " ", e.Type, e.Props, " ", e.To))
	}
	slices.Sort(lines)
	return lines
}

// consistent fails the test unless the graph says what the facts say and the
// history has no doubles.
func (f *fixture) consistent(t testing.TB) {
	t.Helper()
	before := f.elements(t)
	report, err := f.service.Rebuild(context.Background(), f.tenant)
	if err != nil {
		t.Fatal(err)
	}
	if report.Changed != 0 || report.Skipped != 0 {
		after := f.elements(t)
		for _, l := range before {
			if !slices.Contains(after, l) {
				t.Errorf("graph had %s", l)
			}
		}
		for _, l := range after {
			if !slices.Contains(before, l) {
				t.Errorf("graph lacked %s", l)
			}
		}
		t.Fatalf("the graph does not say what the facts say: %+v", report)
	}
	doubles := value[int](t, f, `SELECT count(*) FROM (
		SELECT hash, previous, lag(hash, 1, ''::bytea) OVER w AS before, row_number() OVER w AS n FROM assim.fact_versions
		WINDOW w AS (PARTITION BY host, kind, instance ORDER BY at, term, version)) v
		WHERE n > 1 AND hash IS NOT DISTINCT FROM before OR hash IS NOT DISTINCT FROM previous OR n > 1 AND before IS DISTINCT FROM previous`)
	if doubles != 0 {
		t.Fatalf("%d versions do not follow on the one before", doubles)
	}
	stale := value[int](t, f, `SELECT count(*) FROM (
		SELECT DISTINCT ON (host, kind, instance) host, kind, instance, hash FROM assim.fact_versions ORDER BY host, kind, instance, at DESC, term DESC, version DESC) v
		FULL JOIN assim.facts f USING (host, kind, instance) WHERE v.hash IS DISTINCT FROM f.hash`)
	if stale != 0 {
		t.Fatalf("%d facts are not what their last version says", stale)
	}
}

// relay is a relay's stream, as a relay would cut and send it.
type relay struct {
	f       *fixture
	source  Source
	epoch   uint64
	records [][]byte
	chains  []uplink.Chain // chains[n] is chain(n)
	taken   uint64         // benchmarks: records that were sent
}

func (f *fixture) relay(t testing.TB) *relay {
	t.Helper()
	r := &relay{f: f, source: Source{Tenant: f.tenant, Site: tenancy.NewID[tenancy.SiteID](), Relay: tenancy.NewID[tenancy.RelayID]()}}
	f.exec(t, `INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES ($1, $2, $3, $3, $4, '')`,
		r.source.Site, f.tenant, r.source.Site.String(), r.source.Site.UUID[:])
	f.exec(t, `INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate) VALUES ($1, $2, $3, 'r', '', '', $4, '', '')`,
		r.source.Relay, f.tenant, r.source.Site, r.source.Relay.UUID[:])
	r.restart(7)
	return r
}

// restart begins an epoch.
func (r *relay) restart(epoch uint64) {
	r.epoch, r.records, r.chains = epoch, nil, []uplink.Chain{uplink.ChainStart(r.source.Relay, epoch)}
}

const seenAt = 1_760_000_000_000

// add appends a record to the stream and returns its number.
func (r *relay) add(t testing.TB, c uplink.Change) uint64 {
	t.Helper()
	c.Seq, c.SeenAt = uint64(len(r.records)+1), seenAt+int64(len(r.records))
	record, err := uplink.EncodeRecord(c)
	if err != nil {
		t.Fatal(err)
	}
	r.raw(record)
	return c.Seq
}

func (r *relay) raw(record []byte) {
	r.records = append(r.records, record)
	r.chains = append(r.chains, uplink.ChainNext(r.chains[len(r.chains)-1], record))
}

// batch is the batch of records first to last.
func (r *relay) batch(t testing.TB, first, last uint64) (uplink.Header, []byte) {
	t.Helper()
	payload, err := uplink.EncodeBatch(r.records[first-1 : last])
	if err != nil {
		t.Fatal(err)
	}
	prev, chain := r.chains[first-1], r.chains[last]
	return uplink.Header{
		Purpose: uplink.PurposeBatch, Relay: r.source.Relay, Epoch: r.epoch, First: first, Last: last, Prev: prev[:], Chain: chain[:], Nonce: uplink.NewNonce(),
	}, payload
}

func (r *relay) send(t testing.TB, first, last uint64) uplink.Ack {
	t.Helper()
	header, payload := r.batch(t, first, last)
	ack, err := r.f.service.Apply(context.Background(), r.source, header, payload)
	if err != nil {
		t.Fatal(err)
	}
	return ack
}

// flush sends what the service has not taken.
func (r *relay) flush(t testing.TB) {
	t.Helper()
	position := value[uint64](t, r.f, `SELECT coalesce((SELECT position FROM assim.streams WHERE relay = $1 AND epoch = $2), 0)`, r.source.Relay, r.epoch)
	if position == uint64(len(r.records)) {
		return
	}
	if ack := r.send(t, position+1, uint64(len(r.records))); ack.Reason != wire.Accepted || ack.Position != uint64(len(r.records)) {
		t.Fatalf("flush: %+v", ack)
	}
}

// probe is a host of the relay's site.
type probe struct {
	r       *relay
	id      tenancy.HostID
	version uint64
}

func (r *relay) probe(t testing.TB, name string) *probe {
	t.Helper()
	p := &probe{r: r, id: tenancy.NewID[tenancy.HostID]()}
	p.introduce(t, name)
	return p
}

func (p *probe) introduce(t testing.TB, name string) {
	t.Helper()
	key := sha256.Sum256([]byte(name))
	p.r.add(t, uplink.Change{Type: uplink.HostState, Host: p.id, HostState: &uplink.HostStateBody{
		State: uplink.Up, Name: name, AgentVersion: "1.0", OS: "linux", Arch: "amd64", ProbeKey: key[:], Enrolled: true, Labels: map[string]string{"env": "test"}}})
}

func (p *probe) change(kind, instance string) uplink.Change {
	p.version++
	return uplink.Change{Host: p.id, Kind: kind, Instance: instance, Term: 1, Version: p.version}
}

func (p *probe) put(t testing.TB, kind discovery.Kind, instance string, body any) uplink.Change {
	t.Helper()
	f, err := discovery.NewFact(kind, instance, body)
	if err != nil {
		t.Fatal(err)
	}
	c := p.change(kind.Name, instance)
	c.Type, c.Schema, c.Hash, c.Body = uplink.FactPut, uint8(f.Version), f.Hash[:], f.Body
	p.r.add(t, c)
	return c
}

func (p *probe) drop(t testing.TB, kind, instance string) {
	t.Helper()
	c := p.change(kind, instance)
	c.Type = uplink.FactGone
	p.r.add(t, c)
}

func osFacts(version string) os.Facts {
	return os.Facts{Release: os.Release{ID: "debian", VersionID: version}, Kernel: os.Kernel{Name: "Linux", Release: "6.1", Machine: "x86_64"}}
}

// links has one address per link name: "eth0=10.0.0.1".
func links(specs ...string) network.Facts {
	var f network.Facts
	for _, spec := range specs {
		name, ip, _ := strings.Cut(spec, "=")
		f.Links = append(f.Links, network.Link{Name: name, Type: "ether", MAC: "02:00:00:00:00:01", MTU: 1500, AdminUp: true, OperState: "up",
			Addresses: []network.Address{{IP: ip, Prefix: 24, Scope: "global"}}})
	}
	f.Routes = []network.Route{}
	return f
}

func seen(specs ...string) neighbours.Facts {
	f := neighbours.Facts{Neighbours: []neighbours.Neighbour{}}
	for _, spec := range specs {
		device, ip, _ := strings.Cut(spec, "=")
		f.Neighbours = append(f.Neighbours, neighbours.Neighbour{Device: device, IP: ip, MAC: "02:00:00:00:00:02"})
	}
	return f
}

// service is a service that listens on and connects to ports of addresses:
// "name <10.0.0.1:80 >10.0.0.2:5432".
func services(t testing.TB, specs ...string) sockets.Facts {
	f := sockets.Facts{Services: []sockets.Service{}}
	for _, spec := range specs {
		words := strings.Fields(spec)
		s := sockets.Service{Name: words[0], Exe: "/bin/" + words[0]}
		for _, w := range words[1:] {
			ip, portText, _ := strings.Cut(w[1:], ":")
			var port int64
			if _, err := fmt.Sscan(portText, &port); err != nil {
				t.Fatal(err)
			}
			if w[0] == '<' {
				s.Listens = append(s.Listens, sockets.Listen{Protocol: "tcp", IP: ip, Port: port})
			} else {
				s.Connects = append(s.Connects, sockets.Connect{Protocol: "tcp", IP: ip, Port: port})
			}
		}
		f.Services = append(f.Services, s)
	}
	return f
}

// installed puts packages "name=version" into the instances that they belong to.
func (p *probe) install(t testing.TB, specs ...string) {
	t.Helper()
	byInstance := map[string]packages.Facts{}
	for _, spec := range specs {
		name, version, _ := strings.Cut(spec, "=")
		i := packages.Instance(name)
		f := byInstance[i]
		f.Manager = "dpkg"
		f.Packages = append(f.Packages, packages.Package{Name: name, Version: version, Arch: "amd64"})
		byInstance[i] = f
	}
	for i := range packages.Instances {
		instance := fmt.Sprintf("%x", i)
		f, ok := byInstance[instance]
		if !ok {
			f = packages.Facts{Manager: "dpkg", Packages: []packages.Package{}}
		}
		p.put(t, packages.Kind, instance, f)
	}
}

// rehash gives a damaged body the hash that it would have.
func rehash(c *uplink.Change) {
	hash := discovery.HashBody(c.Kind, int(c.Schema), c.Body)
	c.Hash = hash[:]
}
