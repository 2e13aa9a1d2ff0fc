package web

import (
	"fmt"
	"net/http"
	"path"
	"reflect"
	"strings"
	"sync"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"assimilation/tenancy"
)

// newAPI builds the API without huma's own routes: its documentation page loads
// scripts from another host, and its other forms of the description have no
// user.
func (s *Web) newAPI() huma.API {
	c := huma.DefaultConfig("Assimilation", s.config.Version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // they would add $schema links to every answer
	c.RejectUnknownQueryParameters = true
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "API token, asm_api_..."},
	}
	c.Transformers = []huma.Transformer{s.cleanProblem}
	if s.config.URL != nil {
		c.Servers = []*huma.Server{{URL: strings.TrimSuffix(s.config.URL.String(), "/")}}
	}
	api := huma.NewAPI(c, &adapter{humago.NewAdapter(s.mux, ""), s})
	api.UseMiddleware(s.authorise(api))

	s.describe = sync.OnceValues(s.Description)
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		body, err := s.describe()
		if err != nil {
			s.config.Log.Error("describing the API", "error", err)
			http.Error(w, "the description could not be made", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Write(body)
	})
	return api
}

// schemaName puts the feature before the name of a type that only the feature
// knows: several features have a "page".
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Name() == "" || unicode.IsUpper(rune(t.Name()[0])) {
		return name
	}
	feature := path.Base(t.PkgPath())
	return strings.ToUpper(feature[:1]) + feature[1:] + name
}

// adapter refuses operations that do not say who may use them.
type adapter struct {
	huma.Adapter
	web *Web
}

func (a *adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	action, ok := op.Metadata[needsKey].(tenancy.Action)
	if _, known := tenancy.RightFor(action); !ok || (!known && action != anyone) {
		a.web.faults = append(a.web.faults, fmt.Errorf("operation %s %s does not say who may use it: set Metadata to web.Needs(action) or web.Anyone()", op.Method, op.Path))
		return
	}
	a.web.operation(op, action)
	a.Adapter.Handle(op, handler)
}

// authorise lets a request through when its actor may do what the operation does.
func (s *Web) authorise(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		action, _ := ctx.Operation().Metadata[needsKey].(tenancy.Action)
		if action == anyone {
			next(ctx)
			return
		}
		r, _ := humago.Unwrap(ctx)
		actor, problem := s.permit(r, action)
		if problem != nil {
			if problem.Status == http.StatusUnauthorized {
				ctx.SetHeader("WWW-Authenticate", "Bearer")
			}
			s.refuse(api, ctx, problem)
			return
		}
		if live, _ := ctx.Operation().Metadata[liveKey].(bool); !live {
			if !s.turns.enter(r.Context(), actor.Tenant) {
				s.metrics.refused.WithLabelValues("too many at once").Inc()
				ctx.SetHeader("Retry-After", "10")
				huma.WriteErr(api, ctx, http.StatusTooManyRequests, tooManyAtOnce)
				return
			}
			defer s.turns.leave(actor.Tenant)
		}
		s.once(api, huma.WithContext(ctx, WithActor(ctx.Context(), actor)), actor, next)
	}
}
