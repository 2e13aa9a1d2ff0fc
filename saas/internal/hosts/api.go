package hosts

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/discovery/sockets"
	"assimilation/saas/internal/history"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type hostView struct {
	ID           tenancy.HostID     `json:"id" format:"uuid"`
	Name         string             `json:"name"`
	State        string             `json:"state" enum:"up,silent,shut down,down,agent down,unresponsive,unreachable,unknown,retired" doc:"unknown: nothing is heard of its site"`
	StateAt      time.Time          `json:"state_at,omitzero" doc:"since when, by the relay's clock; not of another time than now"`
	LastState    string             `json:"last_state" doc:"what its relay said last"`
	Verdict      string             `json:"verdict,omitempty" doc:"kind of the open verdict that says why"`
	VerdictID    *tenancy.VerdictID `json:"verdict_id,omitempty" format:"uuid"`
	Site         string             `json:"site" doc:"name"`
	SiteID       tenancy.SiteID     `json:"site_id" format:"uuid"`
	RelayID      tenancy.RelayID    `json:"relay_id" format:"uuid"`
	OS           string             `json:"os"`
	Arch         string             `json:"arch"`
	AgentVersion string             `json:"agent_version"`
	Labels       map[string]string  `json:"labels"`
	EnrolledAt   time.Time          `json:"enrolled_at"`
	ChangedAt    time.Time          `json:"changed_at" doc:"when its newest fact came"`
	AsOf         *time.Time         `json:"as_of,omitempty" doc:"the time that this is of, where it is not now"`
	RetiredAt    *time.Time         `json:"retired_at,omitempty"`
	OpenFindings int                `json:"open_findings"`
}

func viewOf(h Host) hostView {
	v := hostView{
		ID: h.ID, Name: h.Name, State: h.State, StateAt: utc(h.StateAt), LastState: h.LastState, Verdict: h.VerdictKind, VerdictID: h.Verdict, Site: h.SiteName, SiteID: h.Site, RelayID: h.Relay,
		OS: h.OS, Arch: h.Arch, AgentVersion: h.AgentVersion, Labels: h.Labels,
		EnrolledAt: h.EnrolledAt.UTC(), ChangedAt: h.ChangedAt.UTC(), OpenFindings: h.Findings,
	}
	if h.RetiredAt != nil {
		t := h.RetiredAt.UTC()
		v.RetiredAt = &t
	}
	return v
}

type factView struct {
	Kind     string          `json:"kind"`
	Instance string          `json:"instance"`
	Schema   int             `json:"schema"`
	Hash     string          `json:"hash" doc:"content hash, hexadecimal"`
	Size     int             `json:"size" doc:"bytes of the body"`
	Version  int64           `json:"version" doc:"rises with every change of the host"`
	SeenAt   time.Time       `json:"seen_at,omitzero" doc:"by the relay's clock; absent where it came before the past that is held"`
	At       time.Time       `json:"at,omitzero" doc:"when it took effect here; absent as seen_at"`
	Body     json.RawMessage `json:"body,omitempty"`
}

func viewOfFact(f Fact, body json.RawMessage) factView {
	return factView{f.Kind, f.Instance, f.Schema, f.HashText(), f.Size, f.Version, utc(f.SeenAt), utc(f.At), body}
}

// utc leaves no time no time.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

type findingView struct {
	Rule     string    `json:"rule"`
	Subject  string    `json:"subject"`
	Detail   string    `json:"detail"`
	OpenedAt time.Time `json:"opened_at"`
}

type wholeView struct {
	hostView
	Facts        []factView        `json:"facts" nullable:"false" doc:"without bodies"`
	Services     []sockets.Service `json:"services" nullable:"false"`
	Dependencies []Dependency      `json:"dependencies" nullable:"false"`
	Findings     []findingView     `json:"findings" nullable:"false" doc:"open ones; none of another time than now"`
	Notes        []string          `json:"notes,omitempty" doc:"what of the time asked for is not known"`
}

type byHost struct {
	Host string `path:"host" maxLength:"255" doc:"id or name"`
}

type byHostAt struct {
	Host string    `path:"host" maxLength:"255" doc:"id or name"`
	AsOf time.Time `query:"as_of" doc:"the time to look back to; default now"`
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	tags := []string{"hosts"}
	huma.Register(api, huma.Operation{
		OperationID: "list-hosts", Method: http.MethodGet, Path: "/v1/hosts", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "The enrolled hosts, by name",
	}, func(ctx context.Context, in *struct {
		Site     string `query:"site" maxLength:"100" doc:"id or name of a site"`
		State    string `query:"state" enum:"up,silent,shut down,down,agent down,unresponsive,unreachable,unknown,pending,cloned,retired" doc:"default all but retired; pending: has reported nothing yet; cloned: its identity is used by two machines"`
		Name     string `query:"name" maxLength:"255" doc:"part of the name"`
		System   string `query:"system" maxLength:"100" example:"arm64" doc:"part of the operating system, the architecture or the probe's version"`
		Label    string `query:"label" maxLength:"255" example:"env=prod" doc:"name=value, or a name alone"`
		Findings bool   `query:"findings" doc:"only hosts with open findings"`
		Cursor   string `query:"cursor" maxLength:"512"`
		Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}) (*web.Answer[web.List[hostView]], error) {
		hosts, next, err := s.List(ctx, web.ActorFrom(ctx), Filter{Site: web.Text(in.Site), State: in.State, Name: web.Text(in.Name), System: web.Text(in.System),
			Label: web.Text(in.Label), Wrong: in.Findings, Cursor: in.Cursor, Limit: in.Limit})
		return web.Listed(each(hosts, viewOf), next, err)
	})

	huma.Register(api, huma.Operation{
		OperationID: "get-host", Method: http.MethodGet, Path: "/v1/hosts/{host}", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "One host: facts in brief, services, dependencies, findings",
	}, func(ctx context.Context, in *byHostAt) (*web.Answer[wholeView], error) {
		v, err := s.whole(ctx, web.ActorFrom(ctx), in.Host, in.AsOf)
		return &web.Answer[wholeView]{Body: v}, err
	})

	huma.Register(api, huma.Operation{
		OperationID: "list-facts", Method: http.MethodGet, Path: "/v1/hosts/{host}/facts", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "All facts of a host, with their bodies",
	}, func(ctx context.Context, in *byHostAt) (*web.Answer[web.List[factView]], error) {
		v, err := s.facts(ctx, web.ActorFrom(ctx), in.Host, "", in.AsOf)
		return web.Listed(v, "", err)
	})

	huma.Register(api, huma.Operation{
		OperationID: "list-facts-of-kind", Method: http.MethodGet, Path: "/v1/hosts/{host}/facts/{kind}", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "The facts of one kind of a host, with their bodies",
	}, func(ctx context.Context, in *struct {
		Host string    `path:"host" maxLength:"255" doc:"id or name"`
		Kind string    `path:"kind" maxLength:"32"`
		AsOf time.Time `query:"as_of" doc:"the time to look back to; default now"`
	}) (*web.Answer[web.List[factView]], error) {
		v, err := s.facts(ctx, web.ActorFrom(ctx), in.Host, web.Text(in.Kind), in.AsOf)
		return web.Listed(v, "", err)
	})

	huma.Register(api, huma.Operation{
		OperationID: "retire-host", Method: http.MethodPost, Path: "/v1/hosts/{host}/retire", Metadata: web.Needs(tenancy.RetireHost), Tags: tags,
		Summary: "Take a host out of the estate; its key is refused from then on",
	}, func(ctx context.Context, in *byHost) (*web.Answer[hostView], error) {
		host, err := s.Retire(ctx, web.ActorFrom(ctx), in.Host)
		host.State = "retired"
		return &web.Answer[hostView]{Body: viewOf(host)}, err
	})
	s.registerRename(api)
}

func (s *Service) whole(ctx context.Context, a web.Actor, ref string, asOf time.Time) (wholeView, error) {
	var v wholeView
	err := s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		host, err := s.find(ctx, tx, ref)
		if err != nil {
			return err
		}
		if !asOf.IsZero() {
			v, err = wholeAt(ctx, tx, a.Tenant, host, asOf)
			return err
		}
		facts, err := factHeads(ctx, tx, host.ID)
		if err != nil {
			return err
		}
		services, _, err := readKind[sockets.Facts](ctx, tx, host.ID, sockets.Kind)
		if err != nil {
			return err
		}
		dependencies, err := dependenciesOf(ctx, tx, a.Tenant, host.ID, time.Time{})
		if err != nil {
			return err
		}
		findings, err := findingsOf(ctx, tx, host.ID)
		v = wholeView{
			viewOf(host), each(facts, func(f Fact) factView { return viewOfFact(f, nil) }), allServices(services),
			each(dependencies, func(d Dependency) Dependency { return d }),
			each(findings, func(f Finding) findingView { return findingView{f.Rule, f.Subject, f.Detail, f.OpenedAt.UTC()} }), nil,
		}
		return err
	})
	return v, err
}

func allServices(facts []sockets.Facts) []sockets.Service {
	all := []sockets.Service{}
	for _, f := range facts {
		all = append(all, f.Services...)
	}
	return all
}

// facts reads the facts of one kind, or of all when kind is empty. A kind that
// the host never sent is an empty list, not an error: kinds come and go.
func (s *Service) facts(ctx context.Context, a web.Actor, ref, kind string, asOf time.Time) ([]factView, error) {
	var views []factView
	err := s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		host, err := s.find(ctx, tx, ref)
		if err != nil {
			return err
		}
		var facts []Fact
		if asOf.IsZero() {
			facts, err = factsOfKind(ctx, tx, host.ID, kind, maxAnswer)
		} else {
			facts, err = factsAt(ctx, tx, host.ID, history.Choice{Kind: kind, Bodies: true}, asOf, maxAnswer)
		}
		if err != nil {
			return err
		}
		raw, err := bodies(facts)
		if err != nil {
			return err
		}
		views = make([]factView, len(facts))
		for i, f := range facts {
			views[i] = viewOfFact(f, raw[i])
		}
		return nil
	})
	return views, err
}

func each[From, To any](from []From, view func(From) To) []To {
	to := make([]To, len(from))
	for i, f := range from {
		to[i] = view(f)
	}
	return to
}
