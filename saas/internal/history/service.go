package history

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service shows and sets how long the past is held, and shows what the graph
// said of a host.
type Service struct {
	DB *store.DB
	// FindHost finds the one host that has the id or the name, retired or not.
	FindHost func(ctx context.Context, tx pgx.Tx, ref string) (tenancy.HostID, error)
}

type reachView struct {
	FactDays   int       `json:"fact_days" doc:"how many days versions of facts are held"`
	GraphDays  int       `json:"graph_days" doc:"how many days what the graph said is held"`
	FactsSince time.Time `json:"facts_since" doc:"facts can be asked for as of any time since then"`
	GraphSince time.Time `json:"graph_since" doc:"the graph, and queries, can be asked for as of any time since then"`
}

func viewOf(r Reach) reachView {
	return reachView{r.FactDays, r.GraphDays, r.Facts.UTC(), r.Graph.UTC()}
}

type elementsView struct {
	Elements
	More bool `json:"more,omitempty" doc:"there was more than is shown"`
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	tags := []string{"history"}
	huma.Register(api, huma.Operation{
		OperationID: "get-history", Method: http.MethodGet, Path: "/v1/history", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "How long the past is held, and since when",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[reachView], error) {
		var r Reach
		err := s.DB.Read(ctx, web.ActorFrom(ctx).Tenant, func(tx pgx.Tx) (err error) {
			r, err = ReachOf(ctx, tx)
			return err
		})
		return &web.Answer[reachView]{Body: viewOf(r)}, err
	})

	huma.Register(api, huma.Operation{
		OperationID: "set-history", Method: http.MethodPut, Path: "/v1/history", Metadata: web.Needs(tenancy.SetTenant), Tags: tags,
		Summary: "Set how long the past is held; what is older goes within a day, for good",
	}, func(ctx context.Context, in *struct {
		Body struct {
			FactDays  int `json:"fact_days" minimum:"7" maximum:"3650"`
			GraphDays int `json:"graph_days" minimum:"7" maximum:"3650"`
		}
	}) (*web.Answer[reachView], error) {
		r, err := s.Set(ctx, web.ActorFrom(ctx), in.Body.FactDays, in.Body.GraphDays)
		return &web.Answer[reachView]{Body: viewOf(r)}, err
	})

	huma.Register(api, huma.Operation{
		OperationID: "list-elements", Method: http.MethodGet, Path: "/v1/hosts/{host}/elements", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "What the graph says of a host, or said: all that it owns, and what that leads to",
	}, func(ctx context.Context, in *struct {
		Host string    `path:"host" maxLength:"255" doc:"id or name"`
		AsOf time.Time `query:"as_of" doc:"the time to look back to; default now"`
	}) (*web.Answer[elementsView], error) {
		v, err := s.elements(ctx, web.ActorFrom(ctx), in.Host, in.AsOf)
		return &web.Answer[elementsView]{Body: v}, err
	})
}

// Set sets how many days of the past are held.
func (s *Service) Set(ctx context.Context, a web.Actor, factDays, graphDays int) (r Reach, err error) {
	err = s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		// The next housekeeping takes the tenant up at once.
		if _, err := tx.Exec(ctx, `UPDATE assim.history SET fact_days = $1, graph_days = $2, kept_at = '-infinity'`, factDays, graphDays); err != nil {
			return fmt.Errorf("setting how long history is held: %w", err)
		}
		if r, err = ReachOf(ctx, tx); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "history.set",
			Detail: map[string]string{"fact_days": fmt.Sprint(factDays), "graph_days": fmt.Sprint(graphDays)}})
	})
	return r, err
}

func (s *Service) elements(ctx context.Context, a web.Actor, ref string, at time.Time) (v elementsView, err error) {
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		if at.IsZero() {
			at = time.Now().AddDate(1000, 0, 0) // later than whatever was written
		} else if err := Graph(ctx, tx, at); err != nil {
			return err
		}
		host, err := s.FindHost(ctx, tx, ref)
		if err != nil {
			return err
		}
		v.Elements, v.More, err = HostAt(ctx, tx, a.Tenant, host, at)
		return err
	})
	return v, err
}
