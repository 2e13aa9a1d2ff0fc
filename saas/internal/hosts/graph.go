package hosts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/saas/internal/history"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// End is one end of a dependency: a service of a host. The zero End is one that
// no probe told of.
type End struct {
	Host    string `json:"host,omitempty" doc:"host id"`
	Name    string `json:"name,omitempty" doc:"host name"`
	Service string `json:"service,omitempty"`
}

// Dependency says that a client's service uses an endpoint of a server's.
type Dependency struct {
	Server   End    `json:"server"`
	Endpoint string `json:"endpoint" doc:"ip:port/protocol"`
	Client   End    `json:"client"`
}

const maxDependencies = 2000

// dependenciesOf reads from the graph who uses the host's services, and whose
// services the host uses. An endpoint that no enrolled host listens on is shown
// with an unknown server; loopback traffic within a host is left out. asOf is
// zero for now, or a time that history.Graph has allowed.
func dependenciesOf(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, host tenancy.HostID, asOf time.Time) ([]Dependency, error) {
	arguments := []any{`"` + host.String() + `"`, maxDependencies}
	sql := ""
	if asOf.IsZero() {
		sql = dependencySQL(func(label string) string { return pgx.Identifier{store.Graph(tenant), label}.Sanitize() })
	} else {
		statement := dependencySQL(func(label string) string { return "{" + label + "}" })
		sql, arguments = history.NewTables(tenant, "$3::timestamptz").Near(statement), append(arguments, asOf)
	}
	rows, err := tx.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Dependency, error) {
		var endpoint string
		var serverHost, serverService, clientHost, clientService *string
		if err := row.Scan(&serverHost, &serverService, &endpoint, &clientService, &clientHost); err != nil {
			return Dependency{}, err
		}
		var d Dependency
		var faults [3]error
		d.Server, faults[0] = readEnd(serverHost, serverService)
		d.Client, faults[1] = readEnd(clientHost, clientService)
		d.Endpoint, faults[2] = readEndpoint(endpoint)
		for _, err := range faults {
			if err != nil {
				return Dependency{}, err
			}
		}
		return d, nil
	})
}

// dependencySQL joins the label tables from the host outwards, in both roles.
// $1 is the host's key as agtype.
func dependencySQL(table func(label string) string) string {
	replace := strings.NewReplacer(
		"{Host}", table(string(cmdb.Host)), "{Service}", table(string(cmdb.Service)), "{Endpoint}", table(string(cmdb.Endpoint)),
		"{RUNS}", table(string(cmdb.Runs)), "{LISTENS_ON}", table(string(cmdb.ListensOn)), "{CONNECTS_TO}", table(string(cmdb.ConnectsTo)),
		"{text}", "ag_catalog.agtype_out", // readers may not use the cast
		"{key}", store.Access("h.properties", store.KeyProperty),
	)
	return replace.Replace(`
		WITH own AS (
			SELECT h.id AS host, r.end_id AS service FROM {Host} h JOIN {RUNS} r ON r.start_id = h.id WHERE {key} = $1::ag_catalog.agtype
		), links AS (
			SELECT o.host AS server_host, o.service AS server, l.end_id AS endpoint, c.start_id AS client, r.start_id AS client_host
			FROM own o JOIN {LISTENS_ON} l ON l.start_id = o.service
			JOIN {CONNECTS_TO} c ON c.end_id = l.end_id JOIN {RUNS} r ON r.end_id = c.start_id
			UNION
			SELECT r.start_id, l.start_id, c.end_id, o.service, o.host
			FROM own o JOIN {CONNECTS_TO} c ON c.start_id = o.service
			LEFT JOIN {LISTENS_ON} l ON l.end_id = c.end_id LEFT JOIN {RUNS} r ON r.end_id = l.start_id
		)
		SELECT {text}(sh.properties)::text, {text}(s.properties)::text, {text}(e.properties)::text, {text}(c.properties)::text, {text}(ch.properties)::text
		FROM links k JOIN {Endpoint} e ON e.id = k.endpoint
		LEFT JOIN {Service} s ON s.id = k.server LEFT JOIN {Host} sh ON sh.id = k.server_host
		LEFT JOIN {Service} c ON c.id = k.client LEFT JOIN {Host} ch ON ch.id = k.client_host
		WHERE k.server_host IS DISTINCT FROM k.client_host
		ORDER BY 1 NULLS LAST, 2, 3, 5, 4 LIMIT $2`)
}

// vertex is what is read of a vertex's properties.
type vertex struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

func readVertex(properties *string) (vertex, error) {
	var v vertex
	if properties == nil {
		return v, nil
	}
	if err := json.Unmarshal([]byte(*properties), &v); err != nil {
		return v, fmt.Errorf("reading a vertex of the graph: %w", err)
	}
	return v, nil
}

func readEnd(host, service *string) (End, error) {
	h, err := readVertex(host)
	if err != nil {
		return End{}, err
	}
	s, err := readVertex(service)
	return End{Host: h.Key, Name: h.Name, Service: s.Name}, err
}

// readEndpoint makes ip:port/protocol of an endpoint's key, realm|ip|protocol|port.
func readEndpoint(properties string) (string, error) {
	v, err := readVertex(&properties)
	if err != nil {
		return "", err
	}
	parts := strings.Split(v.Key, "|")
	if len(parts) < 4 {
		return v.Key, nil
	}
	ip, protocol, port := parts[len(parts)-3], parts[len(parts)-2], parts[len(parts)-1]
	if strings.Contains(ip, ":") {
		ip = "[" + ip + "]"
	}
	return ip + ":" + port + "/" + protocol, nil
}
