package uplink_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"assimilation/discovery"
	"assimilation/discovery/packages"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// fleet is hosts that resemble each other as those of one company do: some 55 %
// of the packages are everywhere, the others come with a host's role, and a host
// is at one of three levels of patches.
type fleet struct {
	hosts []store.Host
	sets  []map[string]packages.Package // of each host, by name
}

const fleetHosts, fleetRoles = 50, 6

func newFleet(t testing.TB) *fleet {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	f := &fleet{}
	installed := installed(t)
	for i := range fleetHosts {
		var id tenancy.HostID
		for j := range id.UUID {
			id.UUID[j] = byte(random.Uint32())
		}
		host := store.Host{ID: id, Name: fmt.Sprintf("web-%d", i), State: uplink.Up, StateAt: time.Now().UnixMilli(), EnrolledAt: time.Now().UnixMilli()}
		binary.BigEndian.PutUint64(host.ProbeKey[:], uint64(i+1))
		role, level := random.IntN(fleetRoles), random.IntN(3)
		set := map[string]packages.Package{}
		for j, p := range installed {
			kind := rand.New(rand.NewPCG(3, uint64(j))) // of the package: the same on every host
			if everywhere := kind.Float64() < 0.55; !everywhere && kind.IntN(fleetRoles) != role && kind.Float64() < 0.6 {
				continue
			}
			if since := kind.IntN(6); since <= level && since > 0 {
				p.Version += fmt.Sprintf("+deb12u%d", since)
			}
			set[p.Name] = p
		}
		// And what somebody once installed by hand.
		for range 3 {
			p := packages.Package{Name: fmt.Sprintf("local-%d", random.IntN(1000)), Version: "1.0", Arch: "all"}
			set[p.Name] = p
		}
		f.hosts, f.sets = append(f.hosts, host), append(f.sets, set)
	}
	return f
}

// installed is this machine's own list, or one that is made up where there is
// no dpkg.
func installed(t testing.TB) (list []packages.Package) {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n").Output()
	if err != nil {
		t.Logf("no list of dpkg's, one is made up: %v", err)
		for i := range 800 {
			list = append(list, packages.Package{Name: fmt.Sprintf("lib%x-%d", i*7919, i%4), Version: fmt.Sprintf("%d.%d.%d-%d", i%3, i%13, i%7, i%5), Arch: "amd64"})
		}
		return list
	}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Split(strings.TrimSpace(line), "\t"); len(fields) == 3 {
			list = append(list, packages.Package{Name: fields[0], Version: fields[1], Arch: fields[2]})
		}
	}
	return list
}

// facts are the packages of a host, of the instances that hold one of names, or
// of all.
func (f *fleet) facts(t testing.TB, host int, names ...string) (facts []discovery.Fact) {
	t.Helper()
	for i := range packages.Instances {
		instance := fmt.Sprintf("%x", i)
		body := packages.Facts{Manager: "dpkg", Packages: []packages.Package{}}
		wanted := len(names) == 0
		for name, p := range f.sets[host] {
			if packages.Instance(name) == instance {
				body.Packages = append(body.Packages, p)
			}
		}
		for _, name := range names {
			wanted = wanted || packages.Instance(name) == instance
		}
		if !wanted {
			continue
		}
		slices.SortFunc(body.Packages, func(a, b packages.Package) int { return strings.Compare(a.Name, b.Name) })
		fact, err := discovery.NewFact(packages.Kind, instance, body)
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, fact)
	}
	return facts
}

// tell writes facts of all hosts into the relay's store, waits until the service
// has them, and measures what that took.
func (f *fleet) tell(t *testing.T, r *relay, names ...string) (m measure) {
	t.Helper()
	before := r.service.Received()
	now := time.Now().UnixMilli()
	for i, host := range f.hosts {
		r.do(func(tx *store.Tx) error {
			for _, fact := range f.facts(t, i, names...) {
				if _, err := tx.PutFact(host.ID, fact, now, now); err != nil {
					return err
				}
			}
			return nil
		})
	}
	waiting, err := r.store.Records(t.Context(), 1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range waiting.Encoded {
		m.add(t, record)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.runner.Forward(ctx) }()
	last := r.store.Head().Last
	r.service.Await(t, func([]uplink.Change) bool { return r.service.Position() == last })
	for r.store.Head().Acked != last {
		<-time.After(time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	m.uplink, m.records = r.service.Received()-before, len(waiting.Encoded)
	return m
}

// measure is what one telling took, envelopes with all that belongs to them, and
// what its records would have taken each by itself, with nothing around them.
type measure struct {
	records                   int
	plain, gzip, zstd, uplink int64
}

func (m *measure) add(t testing.TB, record []byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, 6)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	m.plain, m.gzip, m.zstd = m.plain+int64(len(record)), m.gzip+int64(out.Len()), m.zstd+int64(len(encoder.EncodeAll(record, nil)))
}

func (m measure) String() string {
	ratio := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/float64(m.uplink)) }
	return fmt.Sprintf("%4d records  plain %8d  gzip-6 each %7d (%s x)  zstd each %7d (%s x)  on the uplink, whole envelopes %6d",
		m.records, m.plain, m.gzip, ratio(m.gzip), m.zstd, ratio(m.zstd), m.uplink)
}

func TestLikeHostsOnTheWAN(t *testing.T) {
	f := newFleet(t)
	r := newRelay(t)
	r.do(func(tx *store.Tx) error {
		for _, host := range f.hosts {
			if err := tx.AddHost(host); err != nil {
				return err
			}
		}
		return nil
	})
	first := f.tell(t, r)
	t.Logf("first inventory of %d hosts:      %v", fleetHosts, first)
	if first.uplink*10 > first.gzip {
		t.Errorf("the first inventory took %d bytes, more than a tenth of %d with gzip per record", first.uplink, first.gzip)
	}
	upgraded := installed(t)[0].Name
	for _, set := range f.sets {
		set[upgraded] = packages.Package{Name: upgraded, Version: "99.1-1", Arch: "amd64"}
	}
	upgrade := f.tell(t, r, upgraded)
	t.Logf("one package upgraded on %d hosts: %v", fleetHosts, upgrade)
	if upgrade.uplink*10 > upgrade.gzip {
		t.Errorf("the upgrade took %d bytes, more than a tenth of %d with gzip per record", upgrade.uplink, upgrade.gzip)
	}
}

func TestBodiesThatTheServiceLostComeAgain(t *testing.T) {
	f := newFleet(t)
	f.hosts, f.sets = f.hosts[:3], f.sets[:3]
	r := newRelay(t)
	r.do(func(tx *store.Tx) error {
		for _, host := range f.hosts {
			if err := tx.AddHost(host); err != nil {
				return err
			}
		}
		return nil
	})
	f.tell(t, r)
	r.service.ForgetBodies()
	upgraded := installed(t)[0].Name
	for _, set := range f.sets {
		set[upgraded] = packages.Package{Name: upgraded, Version: "99.1-1", Arch: "amd64"}
	}
	f.tell(t, r, upgraded)
	changes := r.service.Await(t, func([]uplink.Change) bool { return true })
	for i, c := range changes {
		if c.Seq != uint64(i+1) {
			t.Fatalf("record %d is number %d", i+1, c.Seq)
		}
		if c.Type == uplink.FactPut && discovery.HashBody(c.Kind, int(c.Schema), c.Body) != discovery.Hash(c.Hash) {
			t.Errorf("record %d has another body", c.Seq)
		}
	}
}
