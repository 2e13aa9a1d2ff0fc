package tenantexport

import (
	"context"
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
)

var errBusy = huma.ErrorWithHeaders(huma.Error429TooManyRequests("the service makes as many exports as it can; try again in some minutes"), http.Header{"Retry-After": {"120"}})

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
		if !s.enter() {
			return nil, errBusy
		}
		if err := s.note(ctx, actor); err != nil {
			s.leave()
			return nil, err
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			defer s.leave()
			r, w := humago.Unwrap(ctx)
			s.send(w, r, actor)
		}}, nil
	})
}

// Pages adds the same for browsers.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /tenant/export", tenancy.ExportTenant, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if !s.enter() {
			return errBusy
		}
		defer s.leave()
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
	moved := func() {
		// Not every writer has deadlines (those of tests have not); then the server's
		// own hold.
		_ = control.SetWriteDeadline(time.Now().Add(patience))
	}
	moved()
	if err := s.write(r.Context(), a, w, moved); err != nil {
		if r.Context().Err() == nil {
			s.log.Error("exporting a tenant", "tenant", a.Tenant, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}
