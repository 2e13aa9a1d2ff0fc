// Package api is the client of the service's REST API, generated from
// docs/openapi.json by `make generate`. The command line assim speaks through it.
//
//	service, err := api.NewClient("https://assimilation.example", api.WithRequestEditorFn(
//		func(_ context.Context, r *http.Request) error {
//			r.Header.Set("Authorization", "Bearer "+token)
//			return nil
//		}))
//	answer, err := service.ListHosts(ctx, &api.ListHostsParams{})
//
// Answers are the caller's to decode: into the types here, or as they came, with
// fields that are newer than the client. Errors are application/problem+json.
// Questions (/v1/queries/NAME) and live streams have no methods here; docs/api.md
// says how those are asked, how lists are read page by page, and how a POST is named
// so that it can be sent again.
package api
