package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

// Topology asks the relays of a site how it is wired.
type Topology func(ctx context.Context, actor web.Actor, site string) (uplink.Topology, error)

// maxWiringSites is how many sites one question asks.
const maxWiringSites = 8

// wiringTable is which host is wired to which switch, as relays tell it for the
// sites that keep their topology.
const wiringTable = `(SELECT x.host, x.chassis, nullif(x.name, '') AS name FROM unnest($1::text[], $2::text[], $3::text[]) AS x(host, chassis, name))`

// wires are the columns of {wiring}.
type wires struct {
	hosts, chassis, names []string
}

func (w wires) columns() []any { return []any{w.hosts, w.chassis, w.names} }

// askWiring asks the sites at which a service runs. That one does not answer, or
// may not be asked by this person, is said beside the rows that there are.
func (s *Service) askWiring(ctx context.Context, actor web.Actor, q *Query, parameters url.Values) (w wires, notes []string, err error) {
	values, err := q.read(parameters)
	if err != nil {
		return w, nil, err
	}
	type place struct{ ID, Name string }
	var places []place
	service, err := json.Marshal(values[0])
	if err != nil {
		return w, nil, fmt.Errorf("encoding parameter %s: %w", q.Parameters[0].Name, err)
	}
	err = s.db.Read(ctx, actor.Tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, strings.NewReplacer("{g}", store.Graph(actor.Tenant), "{name}", store.Access("s.properties", "name")).Replace(`
			SELECT DISTINCT p.id::text, p.name FROM {g}."Service" s JOIN {g}."RUNS" r ON r.end_id = s.id JOIN {g}."Host" h ON h.id = r.start_id
			JOIN assim.sites p ON p.id::text = h.properties ->> 'site'::text
			WHERE {name} = ($1::text)::ag_catalog.agtype AND p.residency = 'site' ORDER BY 2, 1 LIMIT $2`), string(service), maxWiringSites+1)
		if err != nil {
			return err
		}
		places, err = pgx.CollectRows(rows, pgx.RowToStructByPos[place])
		return err
	})
	if err != nil {
		return w, nil, err
	}
	if len(places) > maxWiringSites {
		places = places[:maxWiringSites]
		notes = append(notes, fmt.Sprintf("Switches are asked for at the first %d sites only.", maxWiringSites))
	}
	for _, p := range places {
		t, err := s.Topology(ctx, actor, p.ID)
		if ctx.Err() != nil {
			return w, nil, ctx.Err()
		}
		if err != nil {
			notes = append(notes, "The switches of "+p.Name+" are not known: "+reason(err)+".")
			continue
		}
		for _, sw := range t.Switches {
			for _, port := range sw.Ports {
				w.hosts, w.chassis, w.names = append(w.hosts, port.Host.String()), append(w.chassis, sw.Chassis), append(w.names, sw.Name)
			}
		}
	}
	return w, notes, nil
}

// reason is what a problem says to people; of another error nothing is shown.
func reason(err error) string {
	if p, ok := errors.AsType[*web.Problem](err); ok {
		return p.Detail
	}
	return "its relays could not be asked"
}
