package views

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type wishInput struct {
	Body struct {
		Page  string `json:"page" maxLength:"100" example:"/hosts" doc:"path of the page"`
		Query string `json:"query" maxLength:"2000" example:"state=down&site=paris" doc:"of its address"`
		Name  string `json:"name" minLength:"1" maxLength:"100"`
	}
}

func (in *wishInput) wish() Wish { return Wish{in.Body.Page, in.Body.Query, in.Body.Name} }

// One names a view.
type One struct {
	View string `path:"view" format:"uuid"`
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	tags := []string{"views"}
	huma.Register(api, huma.Operation{
		OperationID: "list-views", Method: http.MethodGet, Path: "/v1/views", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "List the views of pages that you see: shared ones, and your own",
	}, func(ctx context.Context, in *struct {
		Page string `query:"page" maxLength:"100" doc:"only of this page"`
	}) (*web.Answer[web.List[Named]], error) {
		a := web.ActorFrom(ctx)
		var all []Named
		err := s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) (err error) {
			all, err = list(ctx, tx, a.User, web.Text(in.Page))
			return err
		})
		for i := range all {
			all[i].CreatedAt = all[i].CreatedAt.UTC()
		}
		return web.Listed(all, "", err)
	})
	for _, of := range []struct {
		id, path, what string
		action         tenancy.Action
		shared         bool
	}{{"view", "/v1/views", "a view of a page, for yourself", tenancy.Read, false}, {"shared-view", "/v1/shared-views", "a view of a page, for everybody of the tenant", tenancy.ShareView, true}} {
		huma.Register(api, huma.Operation{
			OperationID: "create-" + of.id, Method: http.MethodPost, Path: of.path, Metadata: web.Needs(of.action), Tags: tags,
			Summary: "Keep " + of.what, DefaultStatus: http.StatusCreated,
		}, func(ctx context.Context, in *wishInput) (*web.Answer[Named], error) {
			v, err := s.create(ctx, web.ActorFrom(ctx), in.wish(), of.shared)
			if err != nil {
				return nil, err
			}
			return &web.Answer[Named]{Body: v}, nil
		})
		huma.Register(api, huma.Operation{
			OperationID: "delete-" + of.id, Method: http.MethodDelete, Path: of.path + "/{view}", Metadata: web.Needs(of.action), Tags: tags,
			Summary: "Remove " + of.what, DefaultStatus: http.StatusNoContent,
		}, func(ctx context.Context, in *One) (*struct{}, error) {
			_, err := s.remove(ctx, web.ActorFrom(ctx), in.View, of.shared)
			return nil, err
		})
	}
}
