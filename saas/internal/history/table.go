package history

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Tables turns a statement that reads the tables of labels and edge types into
// one that reads what they held at a time: Table stands for a table, with the same
// columns, and With adds what the tables stand on. Ids are those of now; what is
// no longer there has one made of its key, below zero, where no real id is.
type Tables struct {
	tenant tenancy.TenantID
	at     string
	names  []string // of the tables that were asked for
}

// NewTables makes tables of a tenant; at is the expression of the time.
func NewTables(tenant tenancy.TenantID, at string) *Tables {
	return &Tables{tenant: tenant, at: at}
}

// Table is the expression that stands for a table.
func (t *Tables) Table(name string) string {
	if !slices.Contains(t.names, name) {
		t.names = append(t.names, name)
	}
	replace := strings.NewReplacer("{table}", tableOf(t.tenant, name), "{later}", later(name))
	if _, ok := edge(name); ok {
		return replace.Replace(`(
			SELECT t.id, t.start_id, t.end_id, t.properties FROM {table} t WHERE (t.start_id, t.end_id) NOT IN (SELECT l.start_id, l.end_id FROM {later} l)
			UNION ALL SELECT l.id, l.start_id, l.end_id, l.properties FROM {later} l WHERE l.properties IS NOT NULL)`)
	}
	return replace.Replace(`(
		SELECT t.id, t.properties FROM {table} t WHERE t.id NOT IN (SELECT l.id FROM {later} l)
		UNION ALL SELECT l.id, l.properties FROM {later} l WHERE l.properties IS NOT NULL)`)
}

var with = regexp.MustCompile(`^\s*WITH\s`)

// With puts before a statement, which may have such of its own, what changed
// later in each table that was asked for, and what it was before: each is looked
// up once, however often the statement reads it.
func (t *Tables) With(statement string) string {
	if len(t.names) == 0 {
		return statement
	}
	parts := make([]string, len(t.names))
	for i, name := range t.names {
		parts[i] = later(name) + " AS MATERIALIZED (" + t.changes(name) + ")"
	}
	all := "WITH " + strings.Join(parts, ",\n")
	if own := with.FindString(statement); own != "" {
		return all + ",\n" + statement[len(own):]
	}
	return all + "\n" + statement
}

// changes is what of a table changed later: ids, and properties before; NULL
// where it was not there.
func (t *Tables) changes(name string) string {
	ids := t.vertexID(cmdb.Label(name), "u.key") + " AS id"
	if e, ok := edge(name); ok {
		ids = madeID("u.key || ' ' || u.to_key") + " AS id, " + t.vertexID(e.From, "u.key") + " AS start_id, " + t.vertexID(e.To, "u.to_key") + " AS end_id"
	}
	return strings.NewReplacer("{ids}", ids, "{label}", literal(name), "{at}", t.at).Replace(`
		SELECT {ids}, (u.before::text)::ag_catalog.agtype AS properties FROM (
			SELECT DISTINCT ON (u.key, u.to_key) u.key, u.to_key, u.before FROM assim.undo u
			WHERE u.label = {label} AND u.at > {at} ORDER BY u.key, u.to_key, u.at, u.step) u`)
}

// vertexID is the id of the vertex with a key, whether it still is or not.
func (t *Tables) vertexID(label cmdb.Label, key string) string {
	return fmt.Sprintf(`coalesce((SELECT v.id FROM %s v WHERE %s = %s), %s)`,
		tableOf(t.tenant, string(label)), store.Access("v.properties", store.KeyProperty), agtypeOf(key), madeID(key))
}

func edge(name string) (cmdb.EdgeSpec, bool) {
	i := slices.IndexFunc(cmdb.Edges, func(e cmdb.EdgeSpec) bool { return string(e.Type) == name })
	if i < 0 {
		return cmdb.EdgeSpec{}, false
	}
	return cmdb.Edges[i], true
}

// later names what changed of a table.
func later(name string) string { return `"later ` + name + `"` }

func madeID(key string) string {
	return fmt.Sprintf(`((hashtextextended(%s, 0) | (1::bigint << 63))::text)::ag_catalog.graphid`, key)
}
