package backup

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// archive is one with a table that has many parts, one that is empty, and a graph.
func archive(t testing.TB) []byte {
	t.Helper()
	newest, err := store.NewestVersion()
	if err != nil {
		t.Fatal(err)
	}
	m := Manifest{Format: format, Schema: newest, Tables: []Table{{"hosts", []string{"id", "name"}}, {"sites", []string{"id"}}},
		Partitions: []Partition{{"undo", "undo_1", "DEFAULT"}}, Sequences: []Sequence{{"events_id_seq", 7, true}},
		Graphs: []Graph{{Tenant: tenancy.NewID[tenancy.TenantID](), Labels: []store.Label{{Name: "Host", ID: 3}, {Name: "RUNS", ID: 4, Edge: true}}}}}
	var out bytes.Buffer
	w, err := newWriter(&out, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.json(manifestName, m); err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1000) + "\tname\n"
	for _, s := range m.sources() {
		table := w.table(s.entry)
		if s.entry == "assim/hosts" {
			for range 3 * partSize / len(line) {
				if _, err := io.WriteString(table, line); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAnArchiveIsReadAsItWasWritten(t *testing.T) {
	r, err := newReader(bytes.NewReader(archive(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sizes := map[string]int64{}
	if _, err := r.tables(func(s source, in io.Reader) error {
		n, err := io.Copy(io.Discard, in)
		sizes[s.into] = n
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := int64(3*partSize/1006) * 1006; sizes[`"assim"."hosts" ("id", "name")`] != want || len(sizes) != 4 {
		t.Errorf("read %v, want %d of hosts", sizes, want)
	}
}

func TestAManifestThatWouldBecomeAnotherStatementIsRefused(t *testing.T) {
	newest, err := store.NewestVersion()
	if err != nil {
		t.Fatal(err)
	}
	good := func() Manifest {
		return Manifest{Format: format, Schema: newest, Tables: []Table{{"hosts", []string{"id"}}}, Partitions: []Partition{
			{"undo", "undo_1", "FOR VALUES FROM (MINVALUE) TO ('2026-11-23 00:00:00+00')"}, {"undo", "undo_2", "DEFAULT"}}}
	}
	for _, c := range []struct {
		name  string
		spoil func(*Manifest)
		want  string // "" is taken
	}{
		{"good", func(*Manifest) {}, ""},
		{"format", func(m *Manifest) { m.Format = 2 }, "format is 2"},
		{"newer", func(m *Manifest) { m.Schema = newest + 1 }, "schema is version"},
		{"older", func(m *Manifest) { m.Schema = 1 }, "schema is version"},
		{"table", func(m *Manifest) { m.Tables[0].Name = `hosts"; DROP` }, "the name"},
		{"column", func(m *Manifest) { m.Tables[0].Columns[0] = `id) FROM PROGRAM 'true' --` }, "the name"},
		{"partition", func(m *Manifest) { m.Partitions[0].Name = "a b" }, "the name"},
		{"bound", func(m *Manifest) { m.Partitions[0].Bound = "DEFAULT; SELECT 1" }, "the bound"},
		{"sequence", func(m *Manifest) { m.Sequences = []Sequence{{Name: "a'b"}} }, "the name"},
		{"label", func(m *Manifest) { m.Graphs = []Graph{{Labels: []store.Label{{Name: "A\x00"}}}} }, "the name"},
		{"nothing", func(m *Manifest) { m.Tables = nil }, "no table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := good()
			c.spoil(&m)
			err := m.check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestADigestKnowsRowsAndNotTheirOrder(t *testing.T) {
	digest := func(chunks ...string) Digest {
		r := &rows{}
		for _, c := range chunks {
			if _, err := io.WriteString(r, c); err != nil {
				t.Fatal(err)
			}
		}
		d, err := r.end()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a := digest("one\ntwo\n", "three\n")
	if b := digest("th", "ree\nt", "wo\n", "one", "\n"); a != b {
		t.Errorf("%v is not %v", a, b)
	}
	for _, other := range []Digest{digest("one\ntwo\n"), digest("one\ntwo\nthree\nthree\n"), digest("one\ntwo\nThree\n"), digest("onetwo\n\nthree\n"), digest()} {
		if a == other {
			t.Errorf("%v twice", a)
		}
	}
	cut := &rows{}
	_, _ = io.WriteString(cut, "one\ntw")
	if _, err := cut.end(); err == nil {
		t.Error("a cut row was taken")
	}
}

func FuzzReader(f *testing.F) {
	f.Add(archive(f))
	f.Add([]byte(ageBegins + "v1\n-> X25519 a\nb\n--- c\n"))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := newReader(bytes.NewReader(b), nil)
		if err != nil {
			return
		}
		defer r.Close()
		_, _ = r.tables(func(_ source, in io.Reader) error { _, err := io.Copy(io.Discard, in); return err })
	})
}
