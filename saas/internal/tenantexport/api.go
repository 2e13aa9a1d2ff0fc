package tenantexport

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const (
	mediaType = "application/zstd" // RFC 8878, section 7.1
	fileName  = "assimilation-export.tar.zst"
	// patience is how long a client may take nothing.
	patience = 2 * time.Minute
	// A client that takes less than slowest, bytes a second, once firstMinutes are over,
	// keeps the others' exports waiting, and the database from tidying up.
	slowest      = 32 << 10
	firstMinutes = 10 * time.Minute
)

func busy(text string) error {
	return huma.ErrorWithHeaders(huma.Error429TooManyRequests(text), http.Header{"Retry-After": {"120"}})
}

var (
	errBusy    = busy("the service makes as many exports as it can; try again in some minutes")
	errAnother = busy("an export of your tenant is being made already; try again when it is done")
)

// Register adds the REST operation.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "export-tenant", Method: http.MethodGet, Path: "/v1/tenant/export", Metadata: web.Needs(tenancy.ExportTenant), Tags: []string{"tenant"},
		Summary: "All that the tenant has, but secrets, as one file",
		Description: "A tar of files with one JSON object in each line, compressed with zstd, of one moment of the database; its last file is a manifest with counts and digests. " +
			"It is made while it is sent: who gets no manifest did not get it whole.",
		Responses: map[string]*huma.Response{"200": {Description: "the file", Content: map[string]*huma.MediaType{mediaType: {}}}},
	}, func(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
		actor := web.ActorFrom(ctx)
		if err := s.enter(actor.Tenant); err != nil {
			return nil, err
		}
		if err := s.note(ctx, actor); err != nil {
			s.leave(actor.Tenant)
			return nil, err
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			defer s.leave(actor.Tenant)
			r, w := humago.Unwrap(ctx)
			s.send(w, r, actor)
		}}, nil
	})
}

// Pages adds the same for browsers.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /tenant/export", tenancy.ExportTenant, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.enter(a.Tenant); err != nil {
			return err
		}
		defer s.leave(a.Tenant)
		if err := s.note(r.Context(), a); err != nil {
			return err
		}
		s.send(rw, r, a)
		return nil
	})
}

// send writes the file as it is made. What breaks it off breaks the connection,
// so that nobody takes a part for the whole.
func (s *Service) send(w http.ResponseWriter, r *http.Request, a web.Actor) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="`+fileName+`"`)
	control := http.NewResponseController(w)
	to := &counted{to: w}
	begun := time.Now()
	moved := func() {
		// Not every writer has deadlines (those of tests have not); then the server's
		// own hold.
		_ = control.SetWriteDeadline(deadline(begun, time.Now(), to.bytes))
	}
	moved()
	if err := s.write(r.Context(), a, to, moved); err != nil {
		if r.Context().Err() == nil {
			s.log.Error("exporting a tenant", "tenant", a.Tenant, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// deadline is until when a client must take what comes next, having taken so many
// bytes.
func deadline(begun, now time.Time, taken int64) time.Time {
	next, last := now.Add(patience), begun.Add(firstMinutes+time.Duration(taken/slowest)*time.Second)
	if last.Before(next) {
		return last
	}
	return next
}

type counted struct {
	to    io.Writer
	bytes int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.bytes += int64(n)
	return n, err
}
