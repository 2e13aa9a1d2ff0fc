package quota

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// item is one quota.
type item struct {
	Quota   string  `json:"quota" enum:"hosts,changes,storage,questions,sites,tokens,exporters"`
	Used    *int64  `json:"used,omitempty" doc:"absent for questions, which are counted by each process of the service"`
	Limit   int64   `json:"limit"`
	Percent float64 `json:"percent,omitempty"`
	Unit    string  `json:"unit" doc:"what is counted"`
	Beyond  string  `json:"beyond" doc:"what happens then"`
}

// dayView is how much there was on a day.
type dayView struct {
	Day     string `json:"day" format:"date" doc:"UTC"`
	Hosts   int64  `json:"hosts"`
	Changes int64  `json:"changes" doc:"of facts, on that day"`
	Bytes   int64  `json:"bytes"`
}

type view struct {
	Items        []item     `json:"items" nullable:"false"`
	RefusedHosts int64      `json:"refused_hosts" doc:"that had no room; their relays are asked again when there is"`
	HeldAt       *time.Time `json:"held_at,omitempty" doc:"when a relay's batch was last sent back to wait"`
	Days         []dayView  `json:"days" nullable:"false" doc:"the last 30, oldest first"`
}

// daysShown is how far back growth is shown.
const daysShown = 30

// Register adds the REST operation.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-usage", Method: http.MethodGet, Path: "/v1/usage", Metadata: web.Needs(tenancy.Read), Tags: []string{"tenant"},
		Summary: "How much the tenant has, how much it may have, and how that grew",
	}, func(ctx context.Context, _ *struct{}) (*web.Answer[view], error) {
		v, err := s.view(ctx, web.ActorFrom(ctx).Tenant)
		return &web.Answer[view]{Body: v}, err
	})
}

func (s *Service) view(ctx context.Context, tenant tenancy.TenantID) (v view, err error) {
	v.Days = []dayView{}
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		limits, used, err := Read(ctx, tx)
		if err != nil {
			return err
		}
		add := func(quota string, used *int64, limit int64, unit, beyond string) {
			i := item{Quota: quota, Used: used, Limit: limit, Unit: unit, Beyond: beyond}
			if used != nil && limit > 0 {
				i.Percent = float64(int(1000*float64(*used)/float64(limit))) / 10
			}
			v.Items = append(v.Items, i)
		}
		changes := int64(used.Changes)
		add("hosts", &used.Hosts, limits.Hosts, "enrolled hosts", "new hosts are refused, and asked for when there is room")
		add("changes", &changes, limits.Changes, "changes of facts in a day; each fades within a day", "what relays tell waits in their outbox")
		add("storage", &used.Bytes, limits.Bytes, "bytes", "what relays tell waits in their outbox")
		add("questions", nil, limits.Questions, "requests answered at once", "more wait for their turn, 10 seconds at most")
		for _, thing := range []Thing{Sites, Tokens, Exporters} {
			has, err := thing.count(ctx, tx, tenant)
			if err != nil {
				return err
			}
			unit := map[Thing]string{Sites: "sites", Tokens: "enrolment tokens that can be used", Exporters: "exporters"}[thing]
			add(string(thing), &has, limits.of(thing), unit, "no more can be made")
		}
		err = tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM assim.refused_hosts), (SELECT held_at FROM assim.usage WHERE held_at > '-infinity')`).Scan(&v.RefusedHosts, &v.HeldAt)
		if err != nil {
			return fmt.Errorf("reading what waits: %w", err)
		}
		rows, err := tx.Query(ctx, `SELECT day::text, hosts, changes, bytes FROM assim.usage_days WHERE day > (now() AT TIME ZONE 'UTC')::date - $1::integer ORDER BY day`, daysShown)
		if err != nil {
			return fmt.Errorf("reading how it grew: %w", err)
		}
		v.Days, err = pgx.CollectRows(rows, pgx.RowToStructByPos[dayView])
		return err
	})
	return v, err
}
