package deletion

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type view struct {
	State     string     `json:"state" enum:"none,waiting,begun" doc:"waiting can be taken back, begun cannot"`
	AskedAt   *time.Time `json:"asked_at,omitempty"`
	AskedBy   string     `json:"asked_by,omitempty"`
	DueAt     *time.Time `json:"due_at,omitempty"`
	GraceDays float64    `json:"grace_days" doc:"how long a deletion waits, unless it is asked for at once"`
}

func (s *Service) viewOf(p pending) view {
	v := view{State: "none", GraceDays: s.Grace.Hours() / 24}
	if p.AskedBy != "" {
		asked, due := p.AskedAt.UTC(), p.DueAt.UTC()
		v.State, v.AskedAt, v.AskedBy, v.DueAt = "waiting", &asked, p.AskedBy, &due
	}
	if p.BegunAt != nil {
		v.State = "begun"
	}
	return v
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	const path = "/v1/tenant/deletion"
	tags := []string{"tenant"}
	huma.Register(api, huma.Operation{
		OperationID: "get-deletion", Method: http.MethodGet, Path: path, Metadata: web.Needs(tenancy.ReadMembers), Tags: tags,
		Summary: "Whether the tenant is to be deleted, and when",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[view], error) {
		p, err := s.find(ctx, web.ActorFrom(ctx).Tenant)
		if errors.Is(err, errNone) {
			err = nil
		}
		return &web.Answer[view]{Body: s.viewOf(p)}, err
	})
	type input struct {
		Body struct {
			Name    string `json:"name" minLength:"1" maxLength:"100" doc:"of the tenant, typed by whoever wants it gone"`
			Confirm bool   `json:"confirm" doc:"true: they were asked a second time, and meant it"`
			Now     bool   `json:"now,omitempty" doc:"at once, without a time in which it can be taken back"`
		}
	}
	huma.Register(api, huma.Operation{
		OperationID: "delete-tenant", Method: http.MethodPost, Path: path, Metadata: web.Needs(tenancy.DeleteTenant), Tags: tags,
		Summary: "Delete the tenant with all that it holds, after a time in which any owner can take it back", DefaultStatus: http.StatusAccepted,
		Description: "Afterwards the database has nothing of it but a random id and the day. Backups are not touched.",
	}, func(ctx context.Context, in *input) (*web.Answer[view], error) {
		p, err := s.ask(ctx, web.ActorFrom(ctx), request{in.Body.Name, in.Body.Confirm, in.Body.Now})
		return &web.Answer[view]{Body: s.viewOf(p)}, err
	})
	huma.Register(api, huma.Operation{
		OperationID: "keep-tenant", Method: http.MethodDelete, Path: path, Metadata: web.Needs(tenancy.DeleteTenant), Tags: tags,
		Summary: "Take the deletion of the tenant back, before it has begun",
	}, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		return nil, s.keep(ctx, web.ActorFrom(ctx))
	})
}
