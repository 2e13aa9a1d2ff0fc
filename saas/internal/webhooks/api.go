package webhooks

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Webhook is an endpoint as people see it.
type Webhook struct {
	ID            tenancy.WebhookID `json:"id" format:"uuid"`
	Name          string            `json:"name"`
	URL           string            `json:"url"`
	Types         []string          `json:"types" nullable:"false" doc:"of events, or what is before their first dot; none: all"`
	Site          *tenancy.SiteID   `json:"site_id,omitempty" format:"uuid" doc:"only what happens at this site"`
	State         State             `json:"state" enum:"on,off,failed" doc:"failed: turned off by the service, because nothing was taken for five days, or the answer was 410"`
	Secret        string            `json:"secret,omitempty" doc:"what the messages are signed with; shown once, when it is made"`
	PreviousUntil *time.Time        `json:"previous_until,omitempty" doc:"until then the secret before this one signs along"`
	CreatedAt     time.Time         `json:"created_at"`
	Waiting       int64             `json:"waiting" doc:"messages that are not delivered yet"`
	Failures      int               `json:"failures" doc:"tries since the last success"`
	FailingSince  *time.Time        `json:"failing_since,omitempty"`
	Problem       string            `json:"problem,omitempty" doc:"of the last try"`
	SentAt        *time.Time        `json:"sent_at,omitempty" doc:"the last success"`
	Sent          int64             `json:"sent" doc:"messages that were taken"`
}

func webhookOf(e Endpoint, waiting int64) Webhook {
	return Webhook{ID: e.ID, Name: e.Name, URL: e.URL, Types: e.Types, Site: e.Site, State: e.State, PreviousUntil: inUTC(e.PreviousUntil), CreatedAt: e.CreatedAt.UTC(),
		Waiting: waiting, Failures: e.Failures, FailingSince: inUTC(e.FailingSince), Problem: e.Problem, SentAt: inUTC(e.SentAt), Sent: e.Sent}
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// outcome is what a test came to.
type outcome struct {
	Taken bool `json:"taken" doc:"the answer was 200 to 299"`
	Try
}

// secretView is a new secret.
type secretView struct {
	Secret string `json:"secret" doc:"shown this once"`
}

// ByWebhook is part of inputs; huma sees exported ones only.
type ByWebhook struct {
	Webhook string `path:"webhook" maxLength:"36" example:"6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52" doc:"id"`
}

// ByDelivery is part of inputs.
type ByDelivery struct {
	ByWebhook
	Event int64 `path:"event" minimum:"1" example:"4711" doc:"id of the event"`
}

func (s *Service) webhooks(ctx context.Context, a web.Actor) (all []Webhook, err error) {
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		endpoints, err := endpointsOf(ctx, tx)
		if err != nil {
			return err
		}
		n, err := waiting(ctx, tx)
		for _, e := range endpoints {
			all = append(all, webhookOf(e, n[e.ID]))
		}
		return err
	})
	return all, err
}

func (s *Service) get(ctx context.Context, a web.Actor, ref string) (v Webhook, err error) {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return v, err
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		n, err := waiting(ctx, tx)
		v = webhookOf(e, n[e.ID])
		return err
	})
	return v, err
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	operation := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/webhooks" + path, Summary: summary, Metadata: web.Needs(tenancy.SetExport), Tags: []string{"webhooks"}}
	}
	huma.Register(api, operation("list-webhooks", http.MethodGet, "", "Addresses that are called when something happens, and how they do"),
		func(ctx context.Context, _ *struct{}) (*web.Answer[web.List[Webhook]], error) {
			all, err := s.webhooks(ctx, web.ActorFrom(ctx))
			return web.Listed(all, "", err)
		})
	create := operation("create-webhook", http.MethodPost, "", "Have an address called for what happens from now on")
	create.Description = "The answer holds the secret that messages are signed with, this once. Messages are as Standard Webhooks has them; see docs/webhooks.md."
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, func(ctx context.Context, in *struct{ Body WebhookSettings }) (*web.Answer[Webhook], error) {
		e, secret, err := s.add(ctx, web.ActorFrom(ctx), in.Body)
		v := webhookOf(e, 0)
		v.Secret = secret
		return &web.Answer[Webhook]{Body: v}, err
	})
	huma.Register(api, operation("get-webhook", http.MethodGet, "/{webhook}", "One webhook, without its secret"),
		func(ctx context.Context, in *ByWebhook) (*web.Answer[Webhook], error) {
			v, err := s.get(ctx, web.ActorFrom(ctx), in.Webhook)
			return &web.Answer[Webhook]{Body: v}, err
		})
	huma.Register(api, operation("set-webhook", http.MethodPut, "/{webhook}", "Change a webhook, or turn it on again; it goes on where it was"),
		func(ctx context.Context, in *struct {
			ByWebhook
			Body WebhookSettings
		}) (*struct{}, error) {
			return nil, s.set(ctx, web.ActorFrom(ctx), in.Webhook, in.Body)
		})
	huma.Register(api, operation("remove-webhook", http.MethodDelete, "/{webhook}", "Call it no more; what waits is not sent"),
		func(ctx context.Context, in *ByWebhook) (*struct{}, error) {
			return nil, s.remove(ctx, web.ActorFrom(ctx), in.Webhook)
		})
	huma.Register(api, operation("rotate-webhook-secret", http.MethodPost, "/{webhook}/rotate", "Make another secret; for 24 hours messages have a signature by each"),
		func(ctx context.Context, in *ByWebhook) (*web.Answer[secretView], error) {
			secret, err := s.rotate(ctx, web.ActorFrom(ctx), in.Webhook)
			return &web.Answer[secretView]{Body: secretView{secret}}, err
		})
	huma.Register(api, operation("test-webhook", http.MethodPost, "/{webhook}/test", "Send a message of the type webhook.test now, and hear what comes back"),
		func(ctx context.Context, in *ByWebhook) (*web.Answer[outcome], error) {
			t, err := s.test(ctx, web.ActorFrom(ctx), in.Webhook)
			return &web.Answer[outcome]{Body: outcome{t.taken(), t}}, err
		})
	s.registerDeliveries(api, operation)
}

func (s *Service) registerDeliveries(api huma.API, operation func(id, method, path, summary string) huma.Operation) {
	huma.Register(api, operation("list-webhook-deliveries", http.MethodGet, "/{webhook}/deliveries", "Messages, what became of them, and the last try of each; the newest event first"),
		func(ctx context.Context, in *struct {
			ByWebhook
			State  string `query:"state" enum:"waiting,delivered,failed" example:"failed" doc:"only these"`
			Cursor string `query:"cursor" maxLength:"20"`
			Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		}) (*web.Answer[web.List[Delivery]], error) {
			return web.Listed(s.deliveries(ctx, web.ActorFrom(ctx), in.Webhook, in.State, in.Cursor, in.Limit))
		})
	huma.Register(api, operation("get-webhook-delivery", http.MethodGet, "/{webhook}/deliveries/{event}", "One message with its body and its tries"),
		func(ctx context.Context, in *ByDelivery) (*web.Answer[Delivery], error) {
			d, err := s.delivery(ctx, web.ActorFrom(ctx), in.Webhook, in.Event)
			return &web.Answer[Delivery]{Body: d}, err
		})
	huma.Register(api, operation("redeliver-webhook", http.MethodPost, "/{webhook}/deliveries/{event}/redeliver", "Send a message again, under the same webhook-id"),
		func(ctx context.Context, in *ByDelivery) (*struct{}, error) {
			return nil, s.redeliver(ctx, web.ActorFrom(ctx), in.Webhook, in.Event)
		})
}
