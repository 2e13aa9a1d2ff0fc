package tenantexport

import (
	"fmt"
	"strings"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// table is what of a table of the database is handed out.
type table struct {
	name string // in the export
	// columns, by spaces. "hash:hex" and "id:text" are written so.
	columns string
	order   string // columns that put the rows in an order which no two share
	from    string // table of schema assim, where it is not called as the export calls it
	people  bool   // it is read as Global
	key     string // column that holds the tenant, where that is not "tenant"
}

// tables is all that a tenant has, but its graph, what its people are known by
// beyond it, and secrets.
var tables = []table{
	{name: "tenant", from: "tenants", key: "id", columns: "id name created_at seal_key:hex", order: "id"},
	{name: "history", columns: "fact_days graph_days facts_from graph_from", order: "fact_days"},
	{name: "quotas", columns: "hosts changes bytes questions sites tokens exporters", order: "hosts"},
	{name: "usage", columns: "hosts changes changes_at bytes measured_at", order: "hosts"},
	{name: "usage_days", columns: "day hosts changes bytes", order: "day"},
	{name: "entry_rules", people: true, columns: "totp_required sso_required", order: "totp_required"},
	{name: "identity_providers", people: true, columns: "issuer client_id role_claim role_map default_role updated_at", order: "issuer"},
	{name: "domains", people: true, columns: "domain challenge proved_at", order: "domain"},
	{name: "members", people: true, columns: "user_id role", order: "user_id"},
	{name: "site_members", people: true, columns: "user_id site role", order: "user_id, site"},
	{name: "identities", people: true, columns: "issuer subject user_id", order: "issuer, subject"},
	{name: "invitations", people: true, columns: "id email role invited_by inviter created_at expires_at", order: "id"},
	{name: "sessions", people: true, columns: "user_id created_at expires_at seen_at agent address sso proved_at", order: "created_at, hash"},
	{name: "api_tokens", people: true, columns: "id user_id name role site created_at expires_at revoked_at last_used_at last_used_from", order: "id"},
	{name: "deletions", people: true, columns: "asked_at asked_by due_at begun_at", order: "asked_at"},
	{name: "sites", columns: "id name realm site_key:hex key_sequence keyed_at former_key:hex next_key:hex next_at orders_revision created_at residency decided_at beat_ms places location latitude longitude", order: "id"},
	{name: "relays", columns: "id site name token noise_key:hex sign_key:hex seal_key:hex certificate:hex version created_at seen_at sent_at backlog revoked_at cluster serves installs install_key:hex pending next_certificate:hex key_sequence", order: "id"},
	{name: "streams", columns: "relay epoch position chain:hex updated_at", order: "relay"},
	{name: "stream_epochs", columns: "relay epoch begun_at", order: "relay, epoch"},
	{name: "tokens", columns: "id site kind name labels created_at created_by expires_at max_uses uses revoked_at last_used_at last_used_by key_sequence", order: "id"},
	{name: "token_leases", columns: "token relay granted used", order: "token, relay"},
	{name: "token_uses", columns: "token host relay", order: "token, host, relay"},
	{name: "hosts", columns: "id site relay name own_name probe_key:hex state state_at agent_version os arch labels token enrolled_at changed_at retired_at term key_sequence", order: "id"},
	{name: "refused_hosts", columns: "host relay name refused_at", order: "host"},
	{name: "facts", columns: "host kind instance hash:hex term version at seen_at", order: "host, kind, instance"},
	{name: "fact_versions", columns: "host kind instance at seen_at observed_at hash:hex previous:hex term version relay epoch seq", order: "at, host, kind, instance, term, version"},
	{name: "fact_bodies", columns: "hash:hex kind schema size body", order: "hash"},
	{name: "undo", columns: "at step label key to_key from_label to_label before id:text start_id:text end_id:text", order: "at, step, label, id"},
	{name: "events", columns: "id at seen_at type site relay host verdict detail", order: "id"},
	{name: "verdicts", columns: "id kind site relay count domain:hex since at over_at ending cause confidence evidence received_at", order: "id"},
	{name: "verdict_hosts", columns: "verdict host", order: "verdict, host"},
	{name: "findings", columns: "host rule subject detail opened_at closed_at", order: "host, rule, subject"},
	{name: "audit", columns: "id at actor user_id address action object detail before after", order: "id"},
	{name: "exporters", columns: "id name protocol endpoint compression signals headers ca certificate created_at event_id changed sampled_at next_at tries problem sent_at sent", order: "id"},
	{name: "undelivered", columns: "id exporter at signal records first_at last_at reason sample", order: "id"},
	{name: "webhooks", columns: "id name url types site state created_at event_id next_at failures failing_since problem sent_at sent previous_until", order: "id"},
	{name: "webhook_messages", columns: "webhook event id type at body state tries next_at", order: "webhook, event"},
	{name: "webhook_tries", columns: "webhook event at status took_ms problem answer", order: "webhook, event, at"},
	{name: "views", columns: "id page query name owner created_by created_at", order: "id"},
	{name: "asked", columns: "person address said times at", order: "person, hash"},
}

// sql reads the rows of a tenant as lines.
func (t table) sql(tenant tenancy.TenantID) string {
	var columns []string
	for column := range strings.FieldsSeq(t.columns) {
		name, form, _ := strings.Cut(column, ":")
		switch form {
		case "hex":
			column = fmt.Sprintf(`encode(%[1]s, 'hex') AS %[1]s`, name)
		case "text":
			column = fmt.Sprintf(`%[1]s::text AS %[1]s`, name)
		}
		columns = append(columns, column)
	}
	from, key := t.from, t.key
	if from == "" {
		from = t.name
	}
	if key == "" {
		key = "tenant"
	}
	return fmt.Sprintf(`SELECT %s FROM assim.%s WHERE %s = '%s' ORDER BY %s`, strings.Join(columns, ", "), from, key, tenant, t.order)
}

// people are the tenant's members, as far as the tenant knows them.
func people(tenant tenancy.TenantID) string {
	return fmt.Sprintf(`SELECT u.id, u.email, u.totp_at IS NOT NULL AS second_factor FROM assim.users u
		JOIN assim.members m ON m.user_id = u.id WHERE m.tenant = '%s' ORDER BY u.id`, tenant)
}

// labelSQL reads a label of the tenant's graph.
func labelSQL(tenant tenancy.TenantID, label string, edge bool) string {
	ends := ""
	if edge {
		ends = "start_id::text AS start_id, end_id::text AS end_id, "
	}
	return fmt.Sprintf(`SELECT '%[1]s' AS label, id::text AS id, %[2]sag_catalog.agtype_out(properties)::text::json AS properties FROM %[3]s.%[4]s ORDER BY id`,
		label, ends, store.Graph(tenant), `"`+label+`"`)
}

// question is one query, whose rows are lines of a table of the export.
type question struct {
	table  string
	sql    string
	people bool
	bodies bool // the column "body" is a fact's, compressed
}

// questions are what an export is made of, in its order.
func questions(tenant tenancy.TenantID) (all []question) {
	for _, t := range tables {
		all = append(all, question{t.name, t.sql(tenant), t.people, t.name == "fact_bodies"})
	}
	all = append(all, question{"people", people(tenant), true, false})
	for _, v := range cmdb.Vertices {
		all = append(all, question{table: "vertices", sql: labelSQL(tenant, string(v.Label), false)})
	}
	for _, e := range cmdb.Edges {
		all = append(all, question{table: "edges", sql: labelSQL(tenant, string(e.Type), true)})
	}
	return all
}
