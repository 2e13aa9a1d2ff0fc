package backup

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// format is raised when an older program would misread a backup.
const format = 1

// oldestSchema is the first version of the schema that backups were made of.
const oldestSchema = 15

// Manifest says what a backup holds.
type Manifest struct {
	Format     int       `json:"format"`
	MadeAt     time.Time `json:"made_at"`     // when the snapshot was taken
	Program    string    `json:"program"`     // version of assim-saas
	Schema     int64     `json:"schema"`      // version of the tables
	MasterKeys []string  `json:"master_keys"` // ids of those that wrap secrets in it
	Postgres   string    `json:"postgres"`
	AGE        string    `json:"age"`
	Database   string    `json:"database"`

	Tables     []Table     `json:"tables"`
	Partitions []Partition `json:"partitions"`
	Sequences  []Sequence  `json:"sequences"`
	Graphs     []Graph     `json:"graphs"`
}

// Table is a table of schema assim; its partitions are within it.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// Partition is a part of the history.
type Partition struct {
	Parent string `json:"parent"`
	Name   string `json:"name"`
	Bound  string `json:"bound"` // as Postgres writes it
}

// Sequence is where a sequence stands.
type Sequence struct {
	Name   string `json:"name"`
	Value  int64  `json:"value"`
	Called bool   `json:"called"` // the value was given out
}

// Graph is a tenant's graph.
type Graph struct {
	Tenant    tenancy.TenantID `json:"tenant"`
	Labels    []store.Label    `json:"labels"`
	Sequences []Sequence       `json:"sequences"`
}

// End tells what must have been read by the end of a backup.
type End struct {
	Tables map[string]Digest `json:"tables"`
}

var (
	plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	bound     = regexp.MustCompile(`^(DEFAULT|FOR VALUES FROM \((MINVALUE|'[-0-9 :+.]+')\) TO \((MAXVALUE|'[-0-9 :+.]+')\))$`)
)

// check refuses what this program cannot restore, and names that are to become
// part of a statement but are none.
func (m *Manifest) check() error {
	newest, err := store.NewestVersion()
	switch {
	case err != nil:
		return err
	case m.Format != format:
		return fmt.Errorf("the backup's format is %d, and this program knows %d", m.Format, format)
	case m.Schema < oldestSchema || m.Schema > newest:
		return fmt.Errorf("the backup's schema is version %d, and this program knows %d to %d: take the program that made it, %s", m.Schema, oldestSchema, newest, m.Program)
	}
	var names []string
	for _, t := range m.Tables {
		names = append(append(names, t.Name), t.Columns...)
	}
	for _, s := range m.Sequences {
		names = append(names, s.Name)
	}
	for _, p := range m.Partitions {
		names = append(names, p.Parent, p.Name)
		if !bound.MatchString(p.Bound) {
			return fmt.Errorf("partition %s has the bound %.100q", p.Name, p.Bound)
		}
	}
	for _, g := range m.Graphs {
		for _, l := range g.Labels {
			names = append(names, l.Name)
		}
		for _, s := range g.Sequences {
			names = append(names, s.Name)
		}
	}
	for _, name := range names {
		if !plainName.MatchString(name) {
			return fmt.Errorf("the manifest has the name %.100q", name)
		}
	}
	if len(m.Tables) == 0 {
		return errors.New("the manifest lists no table")
	}
	return nil
}

// source is something that rows are copied from and to.
type source struct {
	entry   string // in the archive
	from    string // quoted, as after FROM
	into    string // quoted, with columns, as after COPY
	columns string // quoted
}

// sources lists everything that has rows, in the order of the archive.
func (m *Manifest) sources() (all []source) {
	for _, t := range m.Tables {
		all = append(all, m.table(t))
	}
	for _, g := range m.Graphs {
		for _, l := range g.Labels {
			all = append(all, g.label(l))
		}
	}
	return all
}

func (m *Manifest) table(t Table) source {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = quote(c)
	}
	s := source{entry: "assim/" + t.Name, from: quote("assim", t.Name), columns: strings.Join(columns, ", ")}
	s.into = s.from + " (" + s.columns + ")"
	return s
}

func (g *Graph) label(l store.Label) source {
	table := quote(store.Graph(g.Tenant), l.Name)
	s := source{entry: "graph/" + g.Tenant.String() + "/" + l.Name, from: "ONLY " + table, columns: "id, properties"}
	if l.Edge {
		s.columns = "id, start_id, end_id, properties"
	}
	s.into = table + " (" + s.columns + ")"
	return s
}

func quote(parts ...string) string { return pgx.Identifier(parts).Sanitize() }
