package history

import (
	"fmt"
	"strings"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Table is an expression that stands in SQL for the table of a label or an edge
// type, with the same columns, and holds what the table held at the time that
// the expression at gives. Ids are those of now; what is no longer there has one
// made of its key, below zero, where no real id is.
func Table(tenant tenancy.TenantID, name, at string) string {
	for _, e := range cmdb.Edges {
		if string(e.Type) == name {
			return edgesAt(tenant, e, at)
		}
	}
	label := cmdb.Label(name)
	return strings.NewReplacer("{table}", tableOf(tenant, name), "{label}", literal(name), "{at}", at,
		"{key}", store.Access("t.properties", store.KeyProperty), "{id}", idAt(tenant, label, "l.key")).Replace(`(
		SELECT t.id, t.properties FROM {table} t
		WHERE {key} NOT IN (SELECT ` + agtypeOf("u.key") + ` FROM assim.undo u WHERE u.label = {label} AND u.at > {at})
		UNION ALL
		SELECT {id}, (l.before::text)::ag_catalog.agtype
		FROM (SELECT DISTINCT ON (u.key) u.key, u.before FROM assim.undo u WHERE u.label = {label} AND u.at > {at} ORDER BY u.key, u.at, u.step) l
		WHERE l.before IS NOT NULL)`)
}

func edgesAt(tenant tenancy.TenantID, e cmdb.EdgeSpec, at string) string {
	ends := idAt(tenant, e.From, "u.key") + ` AS start_id, ` + idAt(tenant, e.To, "u.to_key") + ` AS end_id`
	return strings.NewReplacer("{table}", tableOf(tenant, string(e.Type)), "{label}", literal(string(e.Type)), "{at}", at,
		"{ends}", ends, "{id}", madeID("l.key || ' ' || l.to_key")).Replace(`(
		SELECT t.id, t.start_id, t.end_id, t.properties FROM {table} t
		WHERE (t.start_id, t.end_id) NOT IN (SELECT {ends} FROM (
			SELECT DISTINCT u.key, u.to_key FROM assim.undo u WHERE u.label = {label} AND u.at > {at}) u)
		UNION ALL
		SELECT {id}, l.start_id, l.end_id, (l.before::text)::ag_catalog.agtype
		FROM (SELECT u.*, {ends} FROM (
			SELECT DISTINCT ON (u.key, u.to_key) u.key, u.to_key, u.before FROM assim.undo u WHERE u.label = {label} AND u.at > {at}
			ORDER BY u.key, u.to_key, u.at, u.step) u WHERE u.before IS NOT NULL) l)`)
}

// idAt is the id of the vertex with a key, whether it still is or not.
func idAt(tenant tenancy.TenantID, label cmdb.Label, key string) string {
	return fmt.Sprintf(`coalesce((SELECT v.id FROM %s v WHERE %s = %s), %s)`,
		tableOf(tenant, string(label)), store.Access("v.properties", store.KeyProperty), agtypeOf(key), madeID(key))
}

func madeID(key string) string {
	return fmt.Sprintf(`((hashtextextended(%s, 0) | (1::bigint << 63))::text)::ag_catalog.graphid`, key)
}
