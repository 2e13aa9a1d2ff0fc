package hosts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/sockets"
	"assimilation/saas/internal/history"
	"assimilation/tenancy"
)

// factsAt reads facts as they were, unless their bodies have more than limit
// bytes.
func factsAt(ctx context.Context, tx pgx.Tx, host tenancy.HostID, c history.Choice, at time.Time, limit int64) ([]Fact, error) {
	if err := history.Facts(ctx, tx, at); err != nil {
		return nil, err
	}
	facts, fits, err := history.FactsAt(ctx, tx, host, c, at, limit)
	if err == nil && !fits {
		return nil, errTooLarge
	}
	return facts, err
}

// readKindAt is readKind for another time than now.
func readKindAt[Body any](ctx context.Context, tx pgx.Tx, host tenancy.HostID, kind discovery.Kind, at time.Time) ([]Body, error) {
	facts, err := factsAt(ctx, tx, host, history.Choice{Kind: kind.Name, Bodies: true}, at, maxRead)
	if err != nil {
		return nil, err
	}
	raw, err := bodies(facts)
	if err != nil {
		return nil, err
	}
	all := make([]Body, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &all[i]); err != nil {
			return nil, fmt.Errorf("reading fact %s/%s of host %s as of %s: %w", kind.Name, facts[i].Instance, host, at.Format(time.RFC3339), err)
		}
	}
	return all, nil
}

// hostAt makes of a host what the graph said of it at a time; false: it said
// nothing. What the graph does not say is as now, or left out.
func hostAt(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, h *Host, at time.Time) (bool, error) {
	h.StateAt, h.Verdict, h.VerdictKind, h.Findings = time.Time{}, nil, "", 0
	h.State, h.LastState, h.Labels = "unknown", "", nil
	if h.RetiredAt != nil && h.RetiredAt.After(at) {
		h.RetiredAt = nil
	}
	found, err := history.VerticesAt(ctx, tx, tenant, []cmdb.Ref{{Label: cmdb.Host, Key: h.ID.String()}}, at)
	if err != nil || len(found) == 0 {
		return false, err
	}
	props := found[0].Props
	for name, field := range map[string]*string{
		"name": &h.Name, "state": &h.State, "os": &h.OS, "arch": &h.Arch, "agent_version": &h.AgentVersion,
	} {
		*field, _ = props[name].(string)
	}
	h.LastState = h.State
	labels, _ := props["labels"].([]any)
	h.Labels = map[string]string{}
	for _, l := range labels {
		text, _ := l.(string)
		name, value, _ := strings.Cut(text, "=")
		h.Labels[name] = value
	}
	return true, nil
}

// wholeAt is a host as it was. Facts are held longer than the graph: what only
// the graph tells may be missing, which a note says.
func wholeAt(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, host Host, at time.Time) (wholeView, error) {
	facts, err := factsAt(ctx, tx, host.ID, history.Choice{}, at, 0)
	if err != nil {
		return wholeView{}, err
	}
	services, err := readKindAt[sockets.Facts](ctx, tx, host.ID, sockets.Kind, at)
	if err != nil {
		return wholeView{}, err
	}
	reach, err := history.ReachOf(ctx, tx)
	if err != nil {
		return wholeView{}, err
	}
	asOf := at.UTC()
	v := wholeView{Services: allServices(services), Facts: each(facts, func(f Fact) factView { return viewOfFact(f, nil) }),
		Dependencies: []Dependency{}, Findings: []findingView{}}
	if at.Before(reach.Graph) {
		v.Notes = append(v.Notes, "the state and the dependencies are not known: the past of the graph is held since "+reach.Graph.UTC().Format(time.RFC3339))
		host.State, host.StateAt, host.Verdict, host.VerdictKind, host.Findings = "unknown", time.Time{}, nil, "", 0
	} else {
		there, err := hostAt(ctx, tx, tenant, &host, at)
		if err != nil {
			return wholeView{}, err
		}
		if !there {
			v.Notes = append(v.Notes, "the host was not part of the estate at that time")
		}
		if v.Dependencies, err = dependenciesOf(ctx, tx, tenant, host.ID, at); err != nil {
			return wholeView{}, err
		}
		v.Dependencies = each(v.Dependencies, func(d Dependency) Dependency { return d })
	}
	v.hostView = viewOf(host)
	v.AsOf = &asOf
	return v, nil
}
