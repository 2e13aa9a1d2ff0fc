package hosts

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// maxGivenName is that of names that hosts call themselves.
const maxGivenName = 255

// GiveName has people know a host by another name than its own; "" gives it its own
// again. History tells of it by whichever name it had then.
func (s *Service) GiveName(ctx context.Context, a web.Actor, ref, name string) (Host, error) {
	var host Host
	if name != uplink.Plain(name, maxGivenName) {
		return host, huma.Error422UnprocessableEntity("a host's name is plain text of at most 255 bytes")
	}
	err := s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) (err error) {
		if host, err = s.find(ctx, tx, ref); err != nil {
			return err
		}
		before := host.Name
		if host.Name, err = s.Rename(ctx, tx, a.Tenant, host.ID, name); err != nil || host.Name == before {
			return err
		}
		if err := audit.Write(ctx, tx, a.Tenant, audit.Entry{
			Actor: a.Name(), Action: "host.rename", Object: host.ID.String(), Detail: map[string]string{"before": before, "after": host.Name},
		}); err != nil {
			return err
		}
		return notify(ctx, tx, a.Tenant, web.Hosts, web.Facts)
	})
	return host, err
}

func (s *Service) registerRename(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "rename-host", Method: http.MethodPost, Path: "/v1/hosts/{host}/rename", Metadata: web.Needs(tenancy.RetireHost), Tags: []string{"hosts"},
		Summary: "Give a host the name by which people know it, whatever it calls itself",
	}, func(ctx context.Context, in *struct {
		Host string `path:"host" maxLength:"255" doc:"id or name"`
		Body struct {
			Name string `json:"name" maxLength:"255" doc:"empty: its own again"`
		}
	}) (*web.Answer[hostView], error) {
		host, err := s.GiveName(ctx, web.ActorFrom(ctx), in.Host, in.Body.Name)
		return &web.Answer[hostView]{Body: viewOf(host)}, err
	})
}
