package saas

import (
	"strings"
	"testing"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// byAPI says by which operation programs do what a page does.
var byAPI = map[string]string{
	"POST /account/sessions/{id}/end":                       "DELETE /v1/sessions/{id}",
	"POST /account/tokens":                                  "POST /v1/api-tokens",
	"POST /account/tokens/{id}/revoke":                      "DELETE /v1/api-tokens/{id}",
	"POST /entry/rules":                                     "PUT /v1/entry",
	"POST /entry/domains":                                   "POST /v1/entry/domains",
	"POST /entry/domains/{domain}/prove":                    "POST /v1/entry/domains/{domain}/prove",
	"POST /entry/domains/{domain}/remove":                   "DELETE /v1/entry/domains/{domain}",
	"POST /entry/provider":                                  "PUT /v1/entry/provider",
	"POST /entry/provider/remove":                           "DELETE /v1/entry/provider",
	"POST /export":                                          "POST /v1/exporters",
	"POST /export/{exporter}":                               "PUT /v1/exporters/{exporter}",
	"POST /export/{exporter}/remove":                        "DELETE /v1/exporters/{exporter}",
	"POST /export/{exporter}/test":                          "POST /v1/exporters/{exporter}/test",
	"POST /hosts/{host}/retire":                             "POST /v1/hosts/{host}/retire",
	"POST /hosts/{host}/rename":                             "POST /v1/hosts/{host}/rename",
	"POST /hosts/{host}/name":                               "PATCH /v1/hosts/{host}",
	"POST /invitations":                                     "POST /v1/invitations",
	"POST /invitations/{id}/revoke":                         "DELETE /v1/invitations/{id}",
	"POST /members/name":                                    "PATCH /v1/tenant",
	"POST /members/{id}/remove":                             "DELETE /v1/members/{id}",
	"POST /members/{id}/role":                               "PUT /v1/members/{id}",
	"POST /members/{id}/site":                               "PUT /v1/members/{id}/sites/{site_id}",
	"POST /reset":                                           "POST /v1/reset",
	"POST /reset/new":                                       "POST /v1/reset/confirm",
	"POST /settings/history":                                "PUT /v1/history",
	"POST /shared-views":                                    "POST /v1/shared-views",
	"POST /shared-views/{view}/remove":                      "DELETE /v1/shared-views/{view}",
	"POST /signin":                                          "POST /v1/login",
	"POST /signin/code":                                     "POST /v1/login",
	"POST /signout":                                         "POST /v1/logout",
	"POST /signup":                                          "POST /v1/signup",
	"POST /signup/confirm":                                  "POST /v1/signup/confirm",
	"POST /signup/resend":                                   "POST /v1/signup/resend",
	"POST /sites":                                           "POST /v1/sites",
	"POST /sites/{site}/key/retire":                         "POST /v1/sites/{site}/key/retire",
	"POST /sites/{site}/key/rotate":                         "POST /v1/sites/{site}/key/rotate",
	"POST /sites/{site}/location":                           "PUT /v1/sites/{site}/location",
	"POST /sites/{site}/policy":                             "PATCH /v1/sites/{site}",
	"POST /sites/{site}/relays/{relay}/revoke":              "DELETE /v1/relays/{relay}",
	"POST /sites/{site}/tokens":                             "POST /v1/sites/{site}/tokens",
	"POST /sites/{site}/tokens/{token}/revoke":              "DELETE /v1/tokens/{token}",
	"POST /tenant/delete":                                   "POST /v1/tenant/deletion",
	"POST /tenant/keep":                                     "DELETE /v1/tenant/deletion",
	"POST /views":                                           "POST /v1/views",
	"POST /views/{view}/remove":                             "DELETE /v1/views/{view}",
	"POST /webhooks":                                        "POST /v1/webhooks",
	"POST /webhooks/{webhook}":                              "PUT /v1/webhooks/{webhook}",
	"POST /webhooks/{webhook}/deliveries/{event}/redeliver": "POST /v1/webhooks/{webhook}/deliveries/{event}/redeliver",
	"POST /webhooks/{webhook}/remove":                       "DELETE /v1/webhooks/{webhook}",
	"POST /webhooks/{webhook}/rotate":                       "POST /v1/webhooks/{webhook}/rotate",
	"POST /webhooks/{webhook}/test":                         "POST /v1/webhooks/{webhook}/test",
}

// inBrowsersOnly are of a session, or of a person in front of it. What is about a
// person's own account needs no line: API tokens do not reach it, see
// tenancy.Right.Personal.
var inBrowsersOnly = map[string]string{
	"POST /account/address/confirm": "the link of a letter",
	"POST /account/tenant":          "a session is of one tenant at a time; a token always is",
	"POST /account/tenants":         "a session's person makes another tenant; programs sign up",
	"POST /asked/forget":            "what this person asked the console",
	"POST /invitation/accept":       "the link of a letter",
	"POST /prove":                   "shows a secret again in a session; a token is one",
	"POST /sso":                     "leads a browser to the identity provider",
	"POST /sso/prove":               "the same, to show a secret again",
}

// TestProgramsDoWhatPagesDo fails when a page does something that the API cannot.
func TestProgramsDoWhatPagesDo(t *testing.T) {
	routes, err := Routes()
	if err != nil {
		t.Fatal(err)
	}
	operations := map[string]bool{}
	for _, r := range routes {
		if r.Sort == web.APIRoute {
			operations[r.Pattern] = true
		}
	}
	actions := 0
	for _, r := range routes {
		if r.Sort != web.PageRoute && r.Sort != web.PublicPageRoute || strings.HasPrefix(r.Pattern, "GET ") {
			continue
		}
		actions++
		right, _ := tenancy.RightFor(r.Action)
		operation, known := byAPI[r.Pattern]
		switch {
		case known && !operations[operation]:
			t.Errorf("%s is said to be done by %s, which is no operation", r.Pattern, operation)
		case !known && inBrowsersOnly[r.Pattern] == "" && !right.Personal:
			t.Errorf("%s: no operation of the API does what this page does; add one, and name it in byAPI", r.Pattern)
		}
	}
	t.Logf("%d actions of pages", actions)
	if actions < 40 {
		t.Errorf("only %d actions of pages were seen", actions)
	}
}
