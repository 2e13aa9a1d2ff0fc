package audit

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// maxExport is how many entries are handed out at once: who has more asks by
// time.
const maxExport = 1_000_000

// Which is a part of inputs; huma sees exported ones only.
type Which struct {
	Actor  string    `query:"actor" maxLength:"254" example:"grace@example.net" doc:"part of who did it, or of the address that they came from"`
	Action string    `query:"action" maxLength:"64" example:"member" doc:"what was done, or the part before its dot: member, session, api-token, site, entry"`
	Object string    `query:"object" maxLength:"100" example:"6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52" doc:"what it was done to: an id"`
	Since  time.Time `query:"since"`
	Until  time.Time `query:"until"`
}

func (w Which) filter(limit int) Filter {
	return Filter{Actor: w.Actor, Action: w.Action, Object: w.Object, Since: w.Since, Until: w.Until, Limit: limit}
}

// Register adds the REST operations.
func (s *Service) Register(api huma.API) {
	tags := []string{"audit"}
	huma.Register(api, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/v1/audit", Metadata: web.Needs(tenancy.ReadAudit), Tags: tags,
		Summary: "Who changed what, from where, and what it was like before and after; newest first",
	}, func(ctx context.Context, in *struct {
		Which
		Cursor string `query:"cursor" maxLength:"20"`
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}) (*web.Answer[web.List[Row]], error) {
		f := in.filter(in.Limit)
		var err error
		if f.Before, err = parseCursor(in.Cursor); err != nil {
			return nil, err
		}
		rows, next, err := s.List(ctx, web.ActorFrom(ctx).Tenant, f)
		return web.Listed(rows, next, err)
	})
	huma.Register(api, huma.Operation{
		OperationID: "export-audit", Method: http.MethodGet, Path: "/v1/audit/export", Metadata: web.Needs(tenancy.ReadAudit), Tags: tags,
		Summary:   "The log as a file: CSV, or one JSON object in each line",
		Responses: map[string]*huma.Response{"200": {Description: "the file", Content: map[string]*huma.MediaType{"text/csv": {}, "application/x-ndjson": {}}}},
	}, func(ctx context.Context, in *struct {
		Which
		Format string `query:"format" enum:"csv,json" default:"csv" example:"csv"`
	}) (*huma.StreamResponse, error) {
		actor := web.ActorFrom(ctx)
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			s.export(w, r, actor, in.filter(maxExport), in.Format)
		}}, nil
	})
}

func parseCursor(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, web.BadCursor()
	}
	return id, nil
}

// export writes the file as it is read. What breaks it off breaks the connection,
// so that nobody takes half a log for a whole one.
func (s *Service) export(w http.ResponseWriter, r *http.Request, a web.Actor, f Filter, format string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="audit.`+format+`"`)
	write := asJSON(w)
	if h.Set("Content-Type", "application/x-ndjson"); format == "csv" {
		h.Set("Content-Type", "text/csv; charset=utf-8")
		write = asCSV(w)
	}
	if err := s.each(r.Context(), a.Tenant, f, write); err != nil {
		panic(http.ErrAbortHandler)
	}
	if err := write(Row{}); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// asJSON writes one object in each line; the row without an id ends it.
func asJSON(w http.ResponseWriter) func(Row) error {
	e := json.NewEncoder(w)
	return func(r Row) error {
		if r.ID == 0 {
			return nil
		}
		return e.Encode(r)
	}
}

// asCSV writes a table; the row without an id ends it.
func asCSV(w http.ResponseWriter) func(Row) error {
	c := csv.NewWriter(w)
	begun := false
	return func(r Row) error {
		if !begun {
			begun = true
			if err := c.Write([]string{"id", "at", "actor", "address", "action", "object", "before", "after", "detail"}); err != nil {
				return err
			}
		}
		if r.ID == 0 {
			c.Flush()
			return c.Error()
		}
		return c.Write([]string{fmt.Sprint(r.ID), r.At.Format(time.RFC3339Nano), web.Cell(r.Actor), r.Address, r.Action, web.Cell(r.Object), web.Cell(string(r.Before)), web.Cell(string(r.After)), web.Cell(string(r.Detail))})
	}
}
