package otelexport

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// view is an exporter as people see it.
type view struct {
	ID          tenancy.ExporterID `json:"id" format:"uuid"`
	Name        string             `json:"name"`
	Protocol    string             `json:"protocol" enum:"grpc,http"`
	Endpoint    string             `json:"endpoint"`
	Compression string             `json:"compression" enum:"gzip,none"`
	Signals     []Signal           `json:"signals" nullable:"false" enum:"events,changes,metrics"`
	Headers     []string           `json:"headers" nullable:"false" doc:"names only"`
	CA          string             `json:"ca,omitempty"`
	Certificate string             `json:"certificate,omitempty"`
	CreatedAt   time.Time          `json:"created_at"`
	Waiting     int64              `json:"waiting" doc:"events and changes that are not sent yet; counted to 10000 of each"`
	Tries       int                `json:"tries" doc:"failures since the last success"`
	Problem     string             `json:"problem,omitempty" doc:"of the last try"`
	NextAt      *time.Time         `json:"next_at,omitempty" doc:"of the next try, after a failure"`
	SentAt      *time.Time         `json:"sent_at,omitempty" doc:"the last success"`
	Sent        int64              `json:"sent" doc:"log records that the collector took"`
}

func viewOf(e Exporter, waiting int64) view {
	v := view{
		ID: e.ID, Name: e.Name, Protocol: e.Protocol, Endpoint: e.Endpoint, Compression: e.Compression, Signals: e.Signals, Headers: e.Headers,
		CA: e.CA, Certificate: e.Certificate, CreatedAt: e.CreatedAt.UTC(), Waiting: waiting, Tries: e.Tries, Problem: e.Problem, Sent: e.Sent,
	}
	if e.Tries > 0 {
		at := e.NextAt.UTC()
		v.NextAt = &at
	}
	if e.SentAt != nil {
		at := e.SentAt.UTC()
		v.SentAt = &at
	}
	return v
}

// outcome is what a test came to.
type outcome struct {
	Taken   bool   `json:"taken" doc:"the collector took the record"`
	Problem string `json:"problem,omitempty"`
}

// ByExporter is part of inputs; huma sees exported ones only.
type ByExporter struct {
	Exporter string `path:"exporter" maxLength:"36" example:"6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52" doc:"id"`
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	operation := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/exporters" + path, Summary: summary, Metadata: web.Needs(tenancy.SetExport), Tags: []string{"exporters"}}
	}
	huma.Register(api, operation("list-exporters", http.MethodGet, "", "Collectors that events, changes and metrics are sent to by OTLP, and how they do"),
		func(ctx context.Context, _ *struct{}) (*web.Answer[web.List[view]], error) {
			all, err := s.list(ctx, web.ActorFrom(ctx))
			return web.Listed(all, "", err)
		})
	create := operation("create-exporter", http.MethodPost, "", "Send what happens from now on to a collector")
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, func(ctx context.Context, in *struct{ Body Settings }) (*web.Answer[view], error) {
		v, err := s.add(ctx, web.ActorFrom(ctx), in.Body)
		return &web.Answer[view]{Body: v}, err
	})
	huma.Register(api, operation("get-exporter", http.MethodGet, "/{exporter}", "One exporter, without its secrets"),
		func(ctx context.Context, in *ByExporter) (*web.Answer[view], error) {
			v, err := s.get(ctx, web.ActorFrom(ctx), in.Exporter)
			return &web.Answer[view]{Body: v}, err
		})
	huma.Register(api, operation("set-exporter", http.MethodPut, "/{exporter}", "Change an exporter; it goes on where it was"),
		func(ctx context.Context, in *struct {
			ByExporter
			Body Settings
		}) (*struct{}, error) {
			return nil, s.set(ctx, web.ActorFrom(ctx), in.Exporter, in.Body)
		})
	huma.Register(api, operation("remove-exporter", http.MethodDelete, "/{exporter}", "Send nothing there any more"),
		func(ctx context.Context, in *ByExporter) (*struct{}, error) {
			return nil, s.remove(ctx, web.ActorFrom(ctx), in.Exporter)
		})
	huma.Register(api, operation("test-exporter", http.MethodPost, "/{exporter}/test", "Send one record now, and hear what the collector says"),
		func(ctx context.Context, in *ByExporter) (*web.Answer[outcome], error) {
			problem, err := s.test(ctx, web.ActorFrom(ctx), in.Exporter)
			return &web.Answer[outcome]{Body: outcome{problem == "", problem}}, err
		})
	huma.Register(api, operation("list-undelivered", http.MethodGet, "/{exporter}/undelivered", "What the collector refused for good, and what waited too long; the newest 200"),
		func(ctx context.Context, in *ByExporter) (*web.Answer[web.List[undelivered]], error) {
			all, err := s.undelivered(ctx, web.ActorFrom(ctx), in.Exporter)
			return web.Listed(all, "", err)
		})
}
