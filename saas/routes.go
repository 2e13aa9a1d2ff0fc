package saas

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/discovery/kinds"
	"assimilation/saas/internal/accounts"
	"assimilation/saas/internal/asked"
	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/changes"
	"assimilation/saas/internal/console"
	"assimilation/saas/internal/cypher"
	"assimilation/saas/internal/deletion"
	"assimilation/saas/internal/depmap"
	"assimilation/saas/internal/downloads"
	"assimilation/saas/internal/events"
	"assimilation/saas/internal/findings"
	"assimilation/saas/internal/guides"
	"assimilation/saas/internal/history"
	"assimilation/saas/internal/hosts"
	"assimilation/saas/internal/ingest"
	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/members"
	"assimilation/saas/internal/otelexport"
	"assimilation/saas/internal/query"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/search"
	"assimilation/saas/internal/settings"
	"assimilation/saas/internal/sites"
	"assimilation/saas/internal/sso"
	"assimilation/saas/internal/tenantexport"
	"assimilation/saas/internal/topology"
	"assimilation/saas/internal/verdicts"
	"assimilation/saas/internal/views"
	"assimilation/saas/internal/web"
	"assimilation/saas/internal/webhooks"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

// parts is what features are made of.
type parts struct {
	config   Config
	public   *url.URL
	log      *slog.Logger
	db       *store.DB
	master   *keys.Master
	hub      *web.Hub
	post     *mail.Post
	metrics  *prometheus.Registry
	people   *accounts.Service
	company  *members.Service
	entry    *sso.Service
	verdicts *verdicts.Service
}

// mount makes every feature and adds its routes: the one list of what the
// service answers. What it returns has to run.
func (p parts) mount(w *web.Web) ([]running, error) {
	channel := relaychan.New(p.db, p.master, p.log, p.metrics)
	core, err := ingest.New(p.db, p.log, p.metrics)
	if err != nil {
		return nil, err
	}
	questions, err := query.New(p.db)
	if err != nil {
		return nil, err
	}
	programs, err := downloads.New(p.config.Downloads, p.public, p.config.Version, p.log)
	if err != nil {
		return nil, err
	}
	manual, err := guides.New()
	if err != nil {
		return nil, err
	}
	happened := &events.Service{DB: p.db}
	wiring := &topology.Service{DB: p.db, Log: p.log}
	questions.Live, questions.Topology = wiring.Ports, wiring.Ask
	places := &sites.Service{DB: p.db, Keys: p.master, Channel: channel, Hub: p.hub, Log: p.log, URL: p.public, Verdicts: p.verdicts.OpenAt, Happened: happened.OfSite,
		ForgetTopology: core.ForgetTopology, Questions: wiring.Questions, Programs: programs.ForHosts}
	named := &views.Service{DB: p.db}
	changed := &changes.Service{DB: p.db, Kinds: kinds.Worded(), Views: named.Bar}
	questions.Say = changed.Say
	machines := &hosts.Service{DB: p.db, Log: p.log, Forget: core.Forget, Rename: core.Rename, Changes: changed, Views: named.Bar, Happened: happened.OfHost}
	places.FewHosts = machines.Few
	past := &history.Service{DB: p.db, FindHost: machines.FindID}
	wrong := &findings.Service{DB: p.db}
	free := cypher.New(p.db)
	before := &asked.Service{DB: p.db}
	questions.Past, free.Past = before, before
	who := &depmap.Service{DB: p.db, Topology: wiring.Ask, Vendor: query.VendorOf}
	exports := otelexport.New(otelexport.Config{DB: p.db, Master: p.master, Log: p.log, Metrics: p.metrics, Private: p.config.PrivateCollectors,
		Summary: happened.Say, Say: changed.Say, Units: unitsOf(questions)})
	called := webhooks.New(webhooks.Config{DB: p.db, Master: p.master, Log: p.log, Metrics: p.metrics, Private: p.config.PrivateCollectors, Happened: toldOf(happened)})
	ending := deletion.New(deletion.Config{DB: p.db, Post: p.post, URL: p.public, Log: p.log, Grace: p.config.DeletionGrace})
	room := &quota.Service{DB: p.db, Log: p.log}
	w.AtOnce(room.AtOnce)
	takeout := tenantexport.New(p.db, p.log, p.config.Version)
	finder := &search.Service{DB: p.db}
	decided := &settings.Service{DB: p.db, SetHistory: past.Set}
	deeds := &audit.Service{DB: p.db}
	overview := &console.Service{DB: p.db, Changes: changed.Recent, Verdicts: p.verdicts.Open, Events: happened.Recent}

	// Relays, and what installs them.
	programs.Mount(w)
	places.Mount(w)
	wiring.Mount(w, channel)
	w.Public("POST /relay/v1/batch", uplink.MaxEnvelope, channel.Serve(uplink.PurposeBatch, core.Batch))

	// The API.
	p.people.Register(w.API)
	p.company.Register(w.API)
	p.entry.Register(w.API)
	deeds.Register(w.API)
	ending.Register(w.API)
	takeout.Register(w.API)
	room.Register(w.API)
	exports.Register(w.API)
	called.Register(w.API)
	places.Register(w.API)
	wiring.Register(w.API)
	machines.Register(w.API)
	changed.Register(w.API)
	past.Register(w.API)
	happened.Register(w.API)
	happened.Live(w)
	p.verdicts.Register(w.API)
	wrong.Register(w.API)
	questions.Register(w.API)
	free.Register(w.API)
	named.Register(w.API)
	who.Register(w.API)
	finder.Register(w.API)

	// The dashboard.
	overview.Pages(w)
	p.people.Pages(w)
	p.company.Pages(w)
	p.entry.Pages(w)
	deeds.Pages(w)
	ending.Pages(w)
	takeout.Pages(w)
	room.Pages(w)
	exports.Pages(w)
	called.Pages(w)
	places.Pages(w)
	wiring.Pages(w)
	machines.Pages(w)
	changed.Pages(w)
	happened.Pages(w)
	p.verdicts.Pages(w)
	wrong.Pages(w)
	questions.Pages(w)
	free.Pages(w)
	named.Pages(w)
	before.Pages(w)
	who.Pages(w)
	finder.Pages(w)
	decided.Pages(w)
	manual.Pages(w)
	return []running{exports, called, ending, room, hosts.Expiry{Service: machines}}, nil
}

// running is a feature that works by itself until ctx ends.
type running interface {
	Run(ctx context.Context) error
}

// toldOf reads events as webhooks tell them: as the API shows them.
func toldOf(happened *events.Service) func(context.Context, pgx.Tx, int64, int) ([]webhooks.Event, error) {
	return func(ctx context.Context, tx pgx.Tx, after int64, limit int) ([]webhooks.Event, error) {
		all, err := happened.After(ctx, tx, after, limit)
		told := make([]webhooks.Event, len(all))
		for i, e := range all {
			data, err := json.Marshal(e)
			if err != nil {
				return nil, fmt.Errorf("writing event %d: %w", e.ID, err)
			}
			told[i] = webhooks.Event{ID: e.ID, Type: e.Type, At: e.At, Seen: e.SeenAt, Site: e.SiteID, Data: data}
		}
		return told, err
	}
}

// unitsOf lists the services of a tenant's hosts by the question that people ask,
// too.
func unitsOf(questions *query.Service) func(context.Context, tenancy.TenantID, int) ([]otelexport.Unit, error) {
	const page = 5000
	return func(ctx context.Context, tenant tenancy.TenantID, most int) (all []otelexport.Unit, err error) {
		for len(all) < most {
			answer, err := questions.Ask(ctx, tenant, "units", url.Values{"state": {"any"}}, query.Page{Offset: len(all), Limit: min(page, most-len(all))})
			if err != nil {
				return nil, err
			}
			for _, row := range answer.Items {
				text := func(column string) string { s, _ := row[column].(string); return s }
				all = append(all, otelexport.Unit{Host: text("host_id"), Name: text("unit"), State: text("state")})
			}
			if answer.NextCursor == "" {
				break
			}
		}
		return all, nil
	}
}

// Rebuild projects all facts of a tenant anew, mends its graph where it
// differs, and prints how much that was.
func Rebuild(ctx context.Context, config Config, tenant tenancy.TenantID, log *slog.Logger, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	master, err := keys.Load(config.MasterKeyFile)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{AdminURL: config.DatabaseURL, Passwords: master.Derive, Others: master.DeriveOthers})
	if err != nil {
		return err
	}
	defer db.Close()
	core, err := ingest.New(db, log, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	report, err := core.Rebuild(ctx, tenant)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d elements checked, %d mended, %d facts not understood\n", report.Checked, report.Changed, report.Skipped)
	return nil
}
