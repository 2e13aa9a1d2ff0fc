package ingest

import (
	"fmt"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/uplink"
	"assimilation/wire"
)

// travelling is a batch of the stream's records in another form.
func (r *relay) travelling(t *testing.T, first, last uint64, form func(uplink.Change) uplink.Change) uplink.Ack {
	t.Helper()
	header, _ := r.batch(t, first, last)
	var records [][]byte
	for _, record := range r.records[first-1 : last] {
		c, err := uplink.DecodeRecord(record)
		if err != nil {
			t.Fatal(err)
		}
		if c.Type == uplink.FactPut {
			c = form(c)
		}
		if record, err = uplink.EncodeRecord(c); err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	payload, err := uplink.EncodeBatch(records)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := r.f.service.Apply(t.Context(), r.source, header, payload)
	if err != nil {
		t.Fatal(err)
	}
	return ack
}

func software(versions int) packages.Facts {
	f := packages.Facts{Manager: "dpkg"}
	for i := range 640 {
		if name := fmt.Sprintf("package-%03d", i); packages.Instance(name) == "0" {
			f.Packages = append(f.Packages, packages.Package{Name: name, Version: fmt.Sprintf("1.%d-1", versions), Arch: "amd64"})
		}
	}
	return f
}

func TestBodiesThatDoNotTravel(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	a, b := r.probe(t, "a"), r.probe(t, "b")
	base := a.put(t, packages.Kind, "0", software(1))
	hidden := a.put(t, os.Kind, "", osFacts("1"))
	r.flush(t)
	packer := &uplink.Packer{}
	defer packer.Close()
	byHash := uplink.Change.ByHash
	byBase := func(base uplink.Change) func(uplink.Change) uplink.Change {
		return func(c uplink.Change) uplink.Change {
			short, ok := packer.ByBase(c, uplink.BodyHash(base.Hash), base.Body)
			if !ok {
				t.Fatal("no shorter")
			}
			return short
		}
	}
	took := func(what string, ack uplink.Ack, position uint64, need ...uplink.Change) {
		t.Helper()
		if ack.Reason != wire.Accepted || ack.Position != position || len(ack.Need) != len(need) {
			t.Fatalf("%s: %+v, want position %d and %d bodies needed", what, ack, position, len(need))
		}
		for i, c := range need {
			if uplink.BodyHash(ack.Need[i]) != uplink.BodyHash(c.Hash) {
				t.Errorf("%s: another body is needed", what)
			}
		}
	}
	n := uint64(len(r.records))

	b.put(t, packages.Kind, "0", software(1))
	took("a public body of another host", r.travelling(t, n+1, n+1, byHash), n+1)
	b.put(t, packages.Kind, "0", software(2))
	took("a difference to it", r.travelling(t, n+2, n+2, byBase(base)), n+2)

	b.put(t, os.Kind, "", osFacts("1"))
	took("a body of another host that is not public", r.travelling(t, n+3, n+3, byHash), n+2, hidden)
	took("the same inline", r.send(t, n+3, n+3), n+3)
	last := b.put(t, os.Kind, "", osFacts("2"))
	b.drop(t, os.Kind.Name, "")
	took("inline", r.send(t, n+4, n+5), n+5)
	b.put(t, os.Kind, "", osFacts("2"))
	took("a body that is no longer current", r.travelling(t, n+6, n+6, byHash), n+5, last)
	took("inline", r.send(t, n+6, n+6), n+6)
	b.put(t, os.Kind, "", osFacts("2")) // as in a resync
	took("the current one", r.travelling(t, n+7, n+7, byHash), n+7)
	took("the current one, sent twice", r.travelling(t, n+7, n+7, byHash), n+7)

	long := strings.Repeat("long ", 100)
	b.put(t, os.Kind, "", osFacts(long))
	a.put(t, os.Kind, "", osFacts(long))
	seen := false
	took("a body of the same batch", r.travelling(t, n+8, n+9, func(c uplink.Change) uplink.Change {
		if !seen {
			seen = true
			return c
		}
		return c.ByHash()
	}), n+9)
	if bodies := column[string](t, f, `SELECT DISTINCT encode(hash, 'hex') FROM assim.facts WHERE kind = 'os'`); len(bodies) != 1 {
		t.Errorf("the hosts have %d bodies, want one and the same", len(bodies))
	}

	// One that does not give the hash is refused by the chain: nothing is taken.
	c := b.put(t, packages.Kind, "0", software(3))
	wrong := c
	wrong.Seq, wrong.SeenAt, wrong.Hash = n+10, seenAt, base.Hash
	header, _ := r.batch(t, n+10, n+10)
	record, err := uplink.EncodeRecord(wrong.ByHash())
	if err != nil {
		t.Fatal(err)
	}
	payload, err := uplink.EncodeBatch([][]byte{record})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.service.Apply(t.Context(), r.source, header, payload); wire.ReasonOf(err) != wire.Malformed {
		t.Errorf("another body than the chain has: %v", err)
	}
	r.flush(t)
	if discovery.Hash(value[[]byte](t, f, `SELECT hash FROM assim.facts WHERE host = $1 AND kind = 'packages'`, b.id)) != discovery.Hash(c.Hash) {
		t.Error("the newest packages are not current")
	}
	f.consistent(t)
}
