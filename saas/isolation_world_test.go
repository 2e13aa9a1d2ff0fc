package saas

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery/kinds"
	"assimilation/discovery/network"
	"assimilation/discovery/sockets"
	"assimilation/internal/oidctest"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/tenancytest"
	"assimilation/uplink"
)

// isolationWorld is a service with a victim, an attacker, and everybody whom the
// suite lets knock.
type isolationWorld struct {
	*service
	admin  *pgx.Conn
	suite  *tenancytest.Service
	routes []tenancytest.Route

	victim                   tenancytest.As // an owner
	stranger, strangersToken tenancytest.As // owners of the attacker's tenant
	members                  []tenancytest.Member
	// inside is the victim's tenant for one who belongs to it: only what is others' own
	// is kept from them.
	inside  *tenancytest.Service
	insider tenancytest.As
	// superior is an owner of the attacker's tenant, bystander a member of it whom no
	// request is about.
	superior, bystander string
	eve                 string // the attacker's owner
	badCredentials      []tenancytest.As

	// kept is how everything was when keep was called, with the digests of then.
	kept          *tenancytest.Snapshot
	before, aside tenancytest.Digest
	letters       *letterBox
	provider      *oidctest.Provider
	elsewhere     string           // a site of the attacker's, of which everything stays there
	both          []tenancytest.As // who belongs to both tenants, as what is good for the attacker's only
	password      string           // hash of the one that doers have
	doers         int
	txt           string // what DNS says of every name
}

// bodies are what routes take that change something, in JSON for the API and as a
// form for pages; @host@ and the like stand for a value of a tenant.
var bodies = map[string]string{
	"POST /v1/sites":                        `{"name":"new"}`,
	"PATCH /v1/sites/{site}":                `{"beat_ms":2000}`,
	"POST /v1/sites/{site}/tokens":          `{"kind":"probe"}`,
	"POST /v1/sites/{site}/key/rotate":      `{}`,
	"POST /v1/sites/{site}/key/retire":      `{"force":true}`,
	"POST /v1/api-tokens":                   `{"name":"new","role":"viewer","site_id":"@{site}@"}`,
	"PUT /v1/members/{id}":                  `{"role":"operator"}`,
	"PUT /v1/members/{id}/sites/{site_id}":  `{"role":"operator"}`,
	"POST /v1/invitations":                  `{"email":"@?actor@","role":"viewer"}`,
	"PATCH /v1/tenant":                      `{"name":"new"}`,
	"PUT /v1/entry":                         `{"second_factor_required":false,"sso_required":false}`,
	"PUT /v1/entry/provider":                `{"issuer":"@!issuer@","client_id":"c","client_secret":"s"}`,
	"POST /v1/exporters":                    `{"name":"new","protocol":"http","endpoint":"https://otlp.example.org"}`,
	"PUT /v1/exporters/{exporter}":          `{"name":"new","protocol":"http","endpoint":"https://otlp.example.org","headers":{}}`,
	"POST /v1/exporters/{exporter}/test":    ``,
	"POST /v1/entry/domains":                `{"domain":"@{domain}@"}`,
	"POST /v1/entry/domains/{domain}/prove": ``,
	"POST /v1/graph/query":                  `{"query":"MATCH (h:Host) WHERE h.name = '@?name@' RETURN h"}`,
	"PUT /v1/history":                       `{"fact_days":30,"graph_days":30}`,
	"POST /v1/hosts/{host}/retire":          ``,
	"POST /v1/hosts/{host}/rename":          `{"name":"new"}`,
	"POST /hosts/{host}/rename":             `name=new`,
	// Who comes in answers the same for every address; it has tests of its own for that.
	"POST /v1/login": `{"email":"@?actor@","password":"@!password@"}`, "POST /v1/logout": ``, "POST /v1/reset": `{"email":"@?actor@"}`,
	"POST /v1/reset/confirm": `{"token":"@!reset@","password":"another horse battery"}`, "POST /v1/signup": `{"email":"new@example.org","password":"correct horse battery","tenant":"new"}`,
	"POST /v1/signup/confirm": `{"token":"@!signup@","password":"@!password@"}`, "POST /v1/signup/resend": `{"email":"@?actor@"}`,

	"POST /account/address":              `email=new%40example.org`,
	"POST /account/address/confirm":      `token=@!address@`,
	"POST /account/password":             `old=@!password@&password=another+horse+battery`,
	"POST /account/second-factor":        `code=@!code@`,
	"POST /account/second-factor/begin":  ``,
	"POST /account/second-factor/codes":  ``,
	"POST /account/second-factor/remove": ``,
	"POST /account/sessions/{id}/end":    ``,
	"POST /account/tenant":               `tenant=@{tenant}@`,
	"POST /account/tenants":              `name=new`,
	"POST /account/tokens":               `name=new&role=viewer&expires_in=0&site_id=@{site}@`,
	"POST /account/tokens/{id}/revoke":   ``,
	"POST /entry/domains":                `domain=@{domain}@`,
	"POST /entry/domains/{domain}/prove": ``, "POST /entry/domains/{domain}/remove": ``,
	"POST /entry/provider":           `issuer=@!issuer@&client_id=c&client_secret=s`,
	"POST /entry/provider/remove":    ``,
	"POST /entry/rules":              ``,
	"POST /export":                   `name=new&protocol=http&endpoint=https%3A%2F%2Fotlp.example.org`,
	"POST /export/{exporter}":        `name=new&protocol=http&endpoint=https%3A%2F%2Fotlp.example.org&headers_none=1`,
	"POST /export/{exporter}/remove": ``,
	"POST /export/{exporter}/test":   ``,
	"POST /hosts/{host}/retire":      ``,
	"POST /invitation/accept":        `token=@!invitation@`,
	"POST /invitations":              `email=@?actor@&role=viewer`,
	"POST /invitations/{id}/revoke":  ``,
	"POST /members/name":             `name=new`,
	"POST /members/{id}/remove":      ``,
	"POST /members/{id}/role":        `role=operator`,
	"POST /members/{id}/site":        `role=operator&site_id=@{site}@`,
	"POST /prove":                    `secret=@!password@&next=%2F`,
	"POST /reset":                    `email=@?actor@`,
	"POST /reset/new":                `token=@!reset@&password=another+horse+battery`,
	"POST /signin":                   `email=@?actor@&password=@!password@`,
	"POST /signin/code":              `code=@!code@`,
	"POST /signout":                  ``,
	"POST /signup":                   `email=new%40example.org&password=correct+horse+battery&tenant=new`,
	"POST /signup/confirm":           `token=@!signup@&password=@!password@`,
	"POST /signup/resend":            `email=@?actor@`,
	"POST /sites":                    `name=new`,
	"POST /sites/{site}/policy":      `residency=replicate`,
	"POST /sites/{site}/key/rotate":  ``, "POST /sites/{site}/key/retire": `force=yes`,
	"POST /sites/{site}/location":   `location=Lyon&coordinates=45.7%2C4.8`,
	"PUT /v1/sites/{site}/location": `{"name":"Lyon","latitude":45.7,"longitude":4.8}`,
	"POST /views":                   `page=%2Fhosts&query=state%3Dup&name=new`, "POST /views/{view}/remove": ``, "POST /shared-views": `page=%2Fhosts&query=state%3Dup&name=new`, "POST /shared-views/{view}/remove": ``,
	"POST /v1/views": `{"page":"/hosts","query":"state=up","name":"new"}`, "POST /v1/shared-views": `{"page":"/hosts","query":"state=up","name":"new"}`, "POST /asked/forget": ``,
	"POST /settings/history": `fact_days=30&graph_days=30`,
	"POST /tenant/delete":    `name=@name-of-tenant@&confirm=yes`, "POST /tenant/keep": ``, "POST /v1/tenant/deletion": `{"name":"@name-of-tenant@","confirm":true}`,
	"POST /v1/webhooks": `{"name":"new","url":"https://hook.example.org/new"}`, "PUT /v1/webhooks/{webhook}": `{"name":"new","url":"https://hook.example.org/new"}`,
	"POST /v1/webhooks/{webhook}/test": ``, "POST /v1/webhooks/{webhook}/rotate": ``, "POST /v1/webhooks/{webhook}/deliveries/{event}/redeliver": ``,
	"POST /webhooks": `name=new&url=https%3A%2F%2Fhook.example.org%2Fnew`, "POST /webhooks/{webhook}": `name=new&url=https%3A%2F%2Fhook.example.org%2Fnew`,
	"POST /webhooks/{webhook}/test": ``, "POST /webhooks/{webhook}/rotate": ``, "POST /webhooks/{webhook}/remove": ``, "POST /webhooks/{webhook}/deliveries/{event}/redeliver": ``,
	"POST /sites/{site}/tokens":                `kind=probe`,
	"POST /sites/{site}/tokens/{token}/revoke": ``, "POST /sites/{site}/relays/{relay}/revoke": ``,
	"POST /sso":       `email=@?actor@`,
	"POST /sso/prove": ``,
}

// shy are routes that show nothing without a secret in their query, or that lead
// elsewhere.
var shy = map[string]bool{
	"GET /account/address/confirm": true, "GET /invitation": true, "GET /invitation/accept": true, "GET /reset/new": true, "GET /signup/confirm": true,
	"GET /signin/code": true, "GET /v1/entry/provider": true, "GET /sites/{site}/topology": true, "GET /v1/sites/{site}/topology": true, // they ask a provider, a relay
	"GET /sso/{tenant}": true, "GET /sso/{tenant}/callback": true, "GET /sso/prove": true,
}

// bodyOf makes a request of the operation pass validation.
func bodyOf(o operation) string {
	body := bodies[o.method+" "+o.path]
	for placeholder, value := range map[string]string{"@{site}@": "00000000-0000-4000-8000-000000000000", "@?actor@": "new@example.org", "@{domain}@": "new.example.org", "@?name@": "web1", "@!issuer@": "https://127.0.0.1"} {
		body = strings.ReplaceAll(body, placeholder, value)
	}
	return body
}

// operation is one route of the API.
type operation struct{ method, path string }

func newIsolationWorld(t *testing.T) *isolationWorld {
	t.Helper()
	s := newServiceWith(t, func(c *Config) { c.SMTP, c.PrivateIssuers = "log:", true })
	w := &isolationWorld{service: s, letters: &letterBox{}, provider: oidctest.New(t)}
	var err error
	if w.admin, err = pgx.Connect(t.Context(), s.config.DatabaseURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.admin.Close(context.Background()) })
	ada := s.signUp("zvictim@zvictim.example", "zvictim", "zvictim-paris")
	eve := s.signUp("eve@evil.example", "Evil", "lyon")
	w.suite = &tenancytest.Service{Handler: s.handler, DB: s.db, AdminURL: s.config.DatabaseURL, Bodies: bodies, Shy: shy, Vocabulary: vocabulary(ada),
		Victim:   tenancytest.Tenant{ID: ada.source.Tenant, Marker: "zvictim", Values: w.furnish(ada, "zvictim-")},
		Attacker: tenancytest.Tenant{ID: eve.source.Tenant, Marker: "eve", Values: w.furnish(eve, "eve-")}}
	w.suite.Takes = w.takes
	answerTXT(t, func() string { return w.txt })
	answer := w.suite.Send(tenancytest.As{}, "GET", "/openapi.json", "")
	w.routes = routesOf(t, []byte(answer.Body))

	// Who knocks.
	far := tenancytest.As{Token: eve.token}
	_, made := eve.do("POST", "/v1/sites", `{"name":"elsewhere"}`)
	var elsewhere struct{ ID tenancy.SiteID }
	if err := json.Unmarshal([]byte(made), &elsewhere); err != nil {
		t.Fatalf("a second site: %v in %s", err, made)
	}
	w.elsewhere = elsewhere.ID.String()
	w.suite.Attacker.Values["{site_id}"] = append(w.suite.Attacker.Values["{site_id}"], ada.source.Site.String())
	now := time.Now()
	w.victim = w.session("zvictim@zvictim.example", ada.source.Tenant, late(), late(), false)
	w.stranger = w.session("eve@evil.example", eve.source.Tenant, late(), late(), false)
	w.strangersToken = far
	w.stranger.Name, w.strangersToken.Name, w.victim.Name = "a stranger", "a stranger's token", "the victim"
	for _, role := range []tenancy.Role{tenancy.Viewer, tenancy.Operator, tenancy.Admin, tenancy.Owner} {
		email := string(role) + "@evil.example"
		w.person(email, eve.source.Tenant, role)
		token := w.token(email, eve.source.Tenant, role, nil, nil)
		w.members = append(w.members,
			tenancytest.Member{As: named(token, "token "+string(role)), Role: role},
			tenancytest.Member{As: named(w.session(email, eve.source.Tenant, late(), late(), false), string(role)), Role: role},
			tenancytest.Member{As: named(w.session(email, eve.source.Tenant, now.Add(-time.Hour), late(), false), string(role)+" unproved"), Role: role, Unproved: true},
			tenancytest.Member{As: named(w.session(email, eve.source.Tenant, late(), late(), true), string(role)+" by single sign-on"), Role: role, SSO: true})
		if role != tenancy.Owner {
			w.members = append(w.members, w.atSite("elsewhere", eve.source.Tenant, role, elsewhere.ID), w.atSite("here", eve.source.Tenant, role, eve.source.Site))
		}
	}
	owing := s.signUp("owes@owing.example", "Owing", "owing")
	w.global(`INSERT INTO assim.entry_rules (tenant, totp_required) VALUES ($1, true)`, owing.source.Tenant)
	w.members = append(w.members,
		tenancytest.Member{As: tenancytest.As{Name: "token of who owes", Token: owing.token}, Role: tenancy.Owner, Owes: true},
		tenancytest.Member{As: named(w.session("owes@owing.example", owing.source.Tenant, late(), late(), false), "who owes"), Role: tenancy.Owner, Owes: true})
	for _, m := range w.members {
		if a := w.suite.Send(m.As, "GET", "/v1/whoami", ""); a.Status != http.StatusOK {
			t.Fatalf("%s is not known: %d %s", m.Name, a.Status, a.Body)
		}
	}
	w.badCredentials = append(w.bad(ada, eve), w.mustComeByProvider(owing))
	w.belongings("zvictim@zvictim.example", ada.source.Tenant, ada.source.Site.String())
	w.global(`INSERT INTO assim.deletions (tenant, asked_at, asked_by, due_at) VALUES ($1, now(), 'zvictim', now() + interval '30 days')`, ada.source.Tenant)
	w.global(`INSERT INTO assim.entry_rules (tenant) VALUES ($1)`, ada.source.Tenant)
	w.global(`INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role, revoked_at) SELECT 'long ended', $1, id, 'x', $2, 'viewer', now() - interval '100 days' FROM assim.users WHERE email = 'zvictim@zvictim.example'`,
		ada.source.Tenant, make([]byte, 32)) // it goes with a new one of the tenant's own
	w.global(`INSERT INTO assim.invitations (id, tenant, hash, email, role, invited_by, created_at, expires_at, inviter) SELECT gen_random_uuid(), $1, $2, 'late@zvictim.example', 'viewer', 'x', now(), now() - interval '1 day', id
		FROM assim.users WHERE email = 'zvictim@zvictim.example'`, ada.source.Tenant, make([]byte, 32))
	w.person("bystander@evil.example", eve.source.Tenant, tenancy.Viewer)
	w.bystander = w.belongings("bystander@evil.example", eve.source.Tenant, eve.source.Site.String())
	w.one(&w.password, `SELECT password_hash FROM assim.users WHERE email = 'eve@evil.example'`)
	w.between(ada, eve)
	w.providers(ada, eve)
	w.one(&w.eve, `SELECT id::text FROM assim.users WHERE email = 'eve@evil.example'`)
	w.one(&w.superior, `SELECT id::text FROM assim.users WHERE email = 'owner@evil.example'`)

	ids, err := tenancytest.IDsOf(t.Context(), w.admin, ada.source.Tenant, eve.source.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	w.suite.Secrets = tenancytest.NewSecrets("zvictim", ids, "198.51.100.77", "02:5e:c2:e7:00:01")
	w.lookInside()
	return w
}

// belongings are rows of somebody that only forms with secrets make.
func (w *isolationWorld) belongings(email string, tenant tenancy.TenantID, site string) (person string) {
	w.t.Helper()
	w.one(&person, `SELECT id::text FROM assim.users WHERE email = $1`, email)
	hash := sha256.Sum256([]byte(person))
	expired, old := sha256.Sum256(hash[:]), time.Now().Add(-time.Hour)
	w.global(`INSERT INTO assim.recovery_codes (user_id, hash) VALUES ($1, $2)`, person, hash[:])
	w.global(`INSERT INTO assim.links (hash, purpose, user_id, created_at, expires_at) VALUES ($1, 'address', $2, now(), now() - interval '1 hour')`, expired[:], person)
	w.global(`INSERT INTO assim.links (hash, purpose, user_id, created_at, expires_at) VALUES ($1, 'reset', $2, now(), now() + interval '1 hour')`, hash[:], person)
	w.global(`INSERT INTO assim.known_addresses (user_id, address, seen_at) VALUES ($1, '198.51.100.99', now() - interval '1 year')`, person)
	w.global(`INSERT INTO assim.identities (tenant, issuer, subject, user_id) VALUES ($1, 'https://idp.example', $2, $3)`, tenant, email, person)
	w.global(`INSERT INTO assim.asked (tenant, person, hash, address, said) VALUES ($1, $2, $3, '/queries/why?host=' || $4, 'asked by ' || $4)`, tenant, person, hash[:], email)
	w.global(`INSERT INTO assim.sessions (hash, user_id, tenant, expires_at) VALUES ($1, $2, $3, $4)`, expired[:], person, tenant, old)
	w.global(`INSERT INTO assim.site_members (tenant, user_id, site, role) VALUES ($1, $2, $3, 'operator')`, tenant, person, site)
	w.global(`INSERT INTO assim.invitations (id, tenant, hash, email, role, invited_by, created_at, expires_at, inviter) VALUES (gen_random_uuid(), $1, $2, $3, 'viewer', $3, now(), now() + interval '1 day', $4)`,
		tenant, expired[:], "guest-of-"+email, person)
	w.token(email, tenant, tenancy.Viewer, nil, nil)
	return person
}

// atSite is who holds a role at one site only, by a token.
func (w *isolationWorld) atSite(where string, tenant tenancy.TenantID, role tenancy.Role, site tenancy.SiteID) tenancytest.Member {
	w.t.Helper()
	as := named(w.token("eve@evil.example", tenant, role, &site, nil), string(role)+" "+where)
	token, err := tenancy.ParseToken(as.Token)
	if err != nil {
		w.t.Fatal(err)
	}
	own := []string{token.ID}
	return tenancytest.Member{As: as, SiteRole: role, Here: where == "here", Own: map[string][]string{"tokens/{id}": own, "api-tokens/{id}": own}}
}

// between is somebody who belongs to both tenants, and has the same things in each: what
// the attacker's owner does to them is done in the own tenant.
func (w *isolationWorld) between(ada, eve *estate) {
	w.t.Helper()
	const email = "both@example.org"
	w.person(email, eve.source.Tenant, tenancy.Operator)
	w.global(`INSERT INTO assim.members (tenant, user_id, role) SELECT $1, id, 'operator' FROM assim.users WHERE email = $2`, ada.source.Tenant, email)
	var id string
	for _, e := range []*estate{ada, eve} {
		w.global(`INSERT INTO assim.identities (tenant, issuer, subject, user_id) SELECT $1, 'https://idp.example', $2, id FROM assim.users WHERE email = $2`, e.source.Tenant, email)
		w.global(`INSERT INTO assim.site_members (tenant, user_id, site, role) SELECT $1, id, $2, 'operator' FROM assim.users WHERE email = $3`, e.source.Tenant, e.source.Site, email)
		w.global(`INSERT INTO assim.invitations (id, tenant, hash, email, role, invited_by, created_at, expires_at, inviter)
			SELECT gen_random_uuid(), $1, $2, 'guest-of-both@example.org', 'viewer', $3, now(), now() + interval '1 day', id FROM assim.users WHERE email = $3`,
			e.source.Tenant, e.source.Tenant.UUID[:], email)
		w.session(email, e.source.Tenant, late(), late(), false)
		w.token(email, e.source.Tenant, tenancy.Viewer, nil, nil)
	}
	w.both = []tenancytest.As{named(w.token(email, eve.source.Tenant, tenancy.Operator, nil, nil), "a token of who belongs to both"),
		named(w.session(email, eve.source.Tenant, late(), late(), true), "who belongs to both, by single sign-on")}
	w.one(&id, `SELECT id::text FROM assim.users WHERE email = $1`, email)
	w.suite.Attacker.Values["members/{id}"] = append(w.suite.Attacker.Values["members/{id}"], id)
}

// bystanders is a hash of the rows of one whom no request is about.
func (w *isolationWorld) bystanders() tenancytest.Digest {
	w.t.Helper()
	d, err := tenancytest.DigestOfPerson(w.t.Context(), w.admin, w.bystander)
	if err != nil {
		w.t.Fatal(err)
	}
	var rules string
	w.one(&rules, `SELECT string_agg(e::text, ' ' ORDER BY e::text) FROM assim.entry_rules e JOIN assim.tenants t ON t.id = e.tenant WHERE t.name = 'Owing'`)
	d["entry_rules of another tenant"] = rules
	return d
}

// keep makes attacks look for changes since now.
func (w *isolationWorld) keep() {
	w.t.Helper()
	var err error
	if w.kept, err = tenancytest.TakeSnapshot(w.t.Context(), w.admin); err != nil {
		w.t.Fatal(err)
	}
	w.before, w.aside = w.digest(), w.bystanders()
}

// touched names what is another than when keep was called, and should not be: rows of
// the victim, or of one whom no request is about. What anybody may change is left out.
func (w *isolationWorld) touched(leave ...string) string {
	w.t.Helper()
	names, err := w.kept.Written(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(leave, name) })
	if len(names) == 0 {
		return ""
	}
	now, err := tenancytest.DigestOf(w.t.Context(), w.admin, w.suite.Victim.ID, names...)
	if err != nil {
		w.t.Fatal(err)
	}
	if what := w.before.Of(names).Differs(now); what != "" {
		return "the victim's " + what
	}
	aside := w.bystanders()
	for _, name := range leave {
		if text, ok := w.aside[name]; ok {
			aside[name] = text
		}
	}
	if what := w.aside.Differs(aside); what != "" {
		return "a bystander's " + what
	}
	return ""
}

// standing says who of the attacker's tenant is an owner, or may become one.
func (w *isolationWorld) standing() (text string) {
	w.t.Helper()
	w.one(&text, `SELECT concat((SELECT string_agg(user_id::text, ' ' ORDER BY user_id) FROM assim.members WHERE tenant = $1 AND role = 'owner'), ' ',
		(SELECT count(*) FROM assim.invitations WHERE tenant = $1 AND role = 'owner'), ' ', (SELECT count(*) FROM assim.api_tokens WHERE tenant = $1 AND role = 'owner' AND revoked_at IS NULL))`, w.suite.Attacker.ID)
	return text
}

// lookInside makes somebody who only reads the victim's tenant, for whom the owner's
// tokens, sessions and views are secrets.
func (w *isolationWorld) lookInside() {
	w.t.Helper()
	w.person("reader@zvictim.example", w.suite.Victim.ID, tenancy.Viewer)
	w.insider = named(w.session("reader@zvictim.example", w.suite.Victim.ID, late(), late(), false), "a colleague")
	inside, own := *w.suite, map[string][]string{}
	for _, key := range []string{"api-tokens/{id}", "tokens/{id}", "sessions/{id}", "views/{view}"} {
		own[key] = w.suite.Victim.Values[key]
	}
	texts := []string{"asked by zvictim@"}
	for _, values := range own {
		texts = append(texts, values...)
	}
	inside.Victim.Values, inside.Secrets = own, tenancytest.NewSecrets("", nil, texts...)
	w.inside = &inside
}

// mustComeByProvider is a password's session in a tenant that takes no passwords.
func (w *isolationWorld) mustComeByProvider(owing *estate) tenancytest.As {
	w.t.Helper()
	w.global(`UPDATE assim.entry_rules SET sso_required = true WHERE tenant = $1`, owing.source.Tenant)
	w.person("member@owing.example", owing.source.Tenant, tenancy.Admin)
	return named(w.session("member@owing.example", owing.source.Tenant, late(), late(), false), "a password where none is taken")
}

func named(as tenancytest.As, name string) tenancytest.As {
	as.Name = name
	return as
}

// event is the number of one in the middle of many: both tenants have messages of
// theirs by it.
const event = 4711

// furnish gives a tenant one of everything, and returns what names it.
func (w *isolationWorld) furnish(e *estate, prefix string) map[string][]string {
	t := w.t
	web1, _ := e.twoHosts(prefix)
	ip, mac := "198.51.100.77", "02:5e:c2:e7:00:01"
	if prefix != "zvictim-" {
		ip, mac = "198.51.100.78", "02:5e:c2:e7:00:02"
	}
	own := e.machine(prefix + "own")
	own.report("10.0.0.12", sockets.Service{Name: prefix + "service", Exe: "/usr/bin/" + prefix + "service", Listens: []sockets.Listen{{Protocol: "tcp", IP: ip, Port: 4711}}})
	own.put(network.Kind, "", network.Facts{Links: []network.Link{{Name: "eth0", Type: "ether", MAC: mac, MTU: 1500, AdminUp: true, OperState: "up", Addresses: []network.Address{{IP: ip, Prefix: 24, Scope: "global"}}}}})
	now := time.Now().UTC()
	condemned := idOf(e.conclude(uplink.HostDown, 1, web1))
	e.send()
	made := func(path, body string) map[string]any {
		t.Helper()
		status, answer := e.do("POST", path, body)
		var v map[string]any
		if err := json.Unmarshal([]byte(answer), &v); err != nil || status != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
		return v
	}
	text := func(v any) string { return fmt.Sprint(v) }
	site := e.source.Site.String()
	token := made("/v1/sites/"+site+"/tokens", `{"kind":"probe","name":"`+prefix+`token"}`)["id"]
	apiToken := made("/v1/api-tokens", `{"name":"`+prefix+`token","role":"viewer"}`)["id"]
	invited := made("/v1/invitations", `{"email":"`+prefix+`guest@example.org","role":"viewer"}`)["id"]
	made("/v1/entry/domains", `{"domain":"`+prefix+`domain.example"}`)
	exporter := made("/v1/exporters", `{"name":"`+prefix+`exporter","protocol":"http","endpoint":"https://`+prefix+`otlp.example.org","headers":{"x-key":"`+prefix+`secret"}}`)["id"]
	webhook := text(made("/v1/webhooks", `{"name":"`+prefix+`hook","url":"https://`+prefix+`hook.example.org/x"}`)["id"])
	w.global(`INSERT INTO assim.webhook_messages (tenant, webhook, event, id, type, at, body, next_at) VALUES ($1, $2, $3, $4, 'host.enrolled', now(), $5, now())`,
		e.source.Tenant, webhook, event, prefix+"message", `{"`+prefix+`body":1}`)
	shared := text(made("/v1/shared-views", `{"page":"/hosts","query":"state=up","name":"`+prefix+`view"}`)["id"])
	mine := text(made("/v1/views", `{"page":"/hosts","query":"state=up","name":"`+prefix+`own"}`)["id"])
	var email string
	w.one(&email, `SELECT u.email FROM assim.users u JOIN assim.members m ON m.user_id = u.id WHERE m.tenant = $1`, e.source.Tenant)
	guest := prefix + "member@example.org"
	w.person(guest, e.source.Tenant, tenancy.Operator)
	session := w.session(guest, e.source.Tenant, late(), late(), false)
	var member, sessionID string
	w.one(&member, `SELECT id::text FROM assim.users WHERE email = $1`, guest)
	w.one(&sessionID, `SELECT encode(hash, 'hex') FROM assim.sessions WHERE user_id = $1::uuid`, member)
	if session.Session == "" {
		t.Fatal("no session")
	}
	relay, tenant := e.source.Relay.String(), e.source.Tenant.String()
	var called string
	w.one(&called, `SELECT name FROM assim.tenants WHERE id = $1`, e.source.Tenant)
	return map[string][]string{
		"name-of-tenant": {called},
		"{host}":         {web1.id.String(), web1.name}, "{site}": {site, prefix[:len(prefix)-1] + "-paris"}, "{token}": {text(token)}, "{relay}": {relay},
		"api-tokens/{id}": {text(apiToken)}, "tokens/{id}": {text(apiToken)}, "sessions/{id}": {sessionID}, "members/{id}": {member}, "invitations/{id}": {text(invited)},
		"{site_id}": {site}, "{domain}": {prefix + "domain.example"}, "{exporter}": {text(exporter)}, "{verdict}": {condemned}, "{webhook}": {webhook}, "shared-views/{view}": {shared}, "views/{view}": {mine}, "{event}": {fmt.Sprint(event)}, "{guide}": {"accounts"}, "{kind}": {"sockets"}, "queries/{name}": append(questionNames(e), "no-such-question"), "packages/{name}": {"openssl"}, "{tenant}": {tenant},

		"?host": {web1.id.String(), web1.name}, "?site": {site, prefix[:len(prefix)-1] + "-paris"}, "?name": {web1.name}, "?q": {web1.name, ip, mac, "10.0.0", "443", "nginx", "02:00"}, "?entity": {web1.name, ip, "service:" + prefix + "service"},
		"?object": {site, web1.id.String()}, "?actor": {email}, "?ip": {ip}, "?mac": {mac}, "?near": {web1.name}, "?service": {prefix + "service"}, "?port": {"443"}, "?package": {"openssl"}, "?regex": {"."}, "?prefix": {"o"},
		"?file": {"a"}, "?group": {"sudo"}, "?after": {"0"}, "?cursor": {"1"}, "?all": {"true"}, "?format": {"json", "csv", "dot"}, "?unused": {"1s"}, "?labels": {"Host"}, "?type": {"network", "ring", "host"}, "?kind": {"packages"},
		"GET /v1/diff": {"from=" + url.QueryEscape(now.Format(time.RFC3339Nano)) + "&host=" + web1.name},
		"?subnet":      {"10.0.0.0/24"}, "?window": {"all"}, "?as_of": {now.Format(time.RFC3339)},
	}
}

// vocabulary are values that everybody has.
func vocabulary(e *estate) map[string]bool {
	all := map[string]bool{"no-such-question": true, "nginx": true, fmt.Sprint(event): true, "accounts": true, "openssl": true, ".": true, "o": true, "a": true, "sudo": true, "0": true, "1": true, "true": true, "json": true, "csv": true, "dot": true, "1s": true,
		"Host": true, "network": true, "ring": true, "host": true, "packages": true, "all": true, "10.0.0.0/24": true, "443": true, "10.0.0": true, "02:00": true}
	for _, name := range questionNames(e) {
		all[name] = true
	}
	for _, k := range kinds.All() {
		all[k.Name] = true
	}
	return all
}

func questionNames(e *estate) (names []string) {
	for _, q := range get[list[struct{ Name string }]](e.client, "/v1/queries").Items {
		names = append(names, q.Name)
	}
	return names
}

// global runs SQL as the administrator.
func (w *isolationWorld) global(sql string, args ...any) {
	w.t.Helper()
	tag, err := w.admin.Exec(w.t.Context(), sql, args...)
	if err != nil || tag.RowsAffected() == 0 {
		w.t.Fatalf("%s: %s %v", sql, tag, err)
	}
}

func (w *isolationWorld) one(to any, sql string, args ...any) {
	w.t.Helper()
	if err := w.admin.QueryRow(w.t.Context(), sql, args...).Scan(to); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

func (w *isolationWorld) person(email string, tenant tenancy.TenantID, role tenancy.Role) {
	w.t.Helper()
	id := tenancy.NewID[tenancy.UserID]()
	w.global(`INSERT INTO assim.users (id, email, password_hash, verified_at) VALUES ($1, $2, '', now())`, id, email)
	w.global(`INSERT INTO assim.members (tenant, user_id, role) VALUES ($1, $2, $3)`, tenant, id, role)
}

// late is after the end of every test: sessions neither end nor get old before.
func late() time.Time { return time.Now().Add(24 * time.Hour) }

// session is a browser's, in which a secret was shown at a time.
func (w *isolationWorld) session(email string, tenant tenancy.TenantID, proved, expires time.Time, sso bool) tenancytest.As {
	w.t.Helper()
	cookie, hash := web.NewSession()
	w.global(`INSERT INTO assim.sessions (hash, user_id, tenant, expires_at, sso, proved_at) SELECT $1, id, $2, $3, $4, $5 FROM assim.users WHERE email = $6`, hash[:], tenant, expires, sso, proved, email)
	return tenancytest.As{Name: email, Session: cookie}
}

// token is an API token of somebody's, good for a site or for all.
func (w *isolationWorld) token(email string, tenant tenancy.TenantID, role tenancy.Role, site *tenancy.SiteID, expires *time.Time) tenancytest.As {
	w.t.Helper()
	token := tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	hash := token.Hash()
	w.global(`INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role, site, expires_at) SELECT $1, $2, id, 'x', $3, $4, $5, $6 FROM assim.users WHERE email = $7`,
		token.ID, tenant, hash[:], role, site, expires, email)
	return tenancytest.As{Name: email, Token: token.String()}
}

// bad are credentials that nobody may come in with, most of them nearly good for
// the victim.
func (w *isolationWorld) bad(ada, eve *estate) []tenancytest.As {
	w.t.Helper()
	owner, tenant, past := "zvictim@zvictim.example", ada.source.Tenant, time.Now().Add(-time.Second)
	real, err := tenancy.ParseToken(ada.token)
	if err != nil {
		w.t.Fatal(err)
	}
	forged := tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	forged.ID = real.ID // another secret
	relabelled := real
	relabelled.Kind = tenancy.EnrolToken
	revoked := w.token(owner, tenant, tenancy.Owner, nil, nil)
	id, _ := tenancy.ParseToken(revoked.Token)
	w.global(`UPDATE assim.api_tokens SET revoked_at = now() WHERE id = $1`, id.ID)
	w.person("left@zvictim.example", tenant, tenancy.Owner)
	leftToken, leftSession := w.token("left@zvictim.example", tenant, tenancy.Owner, nil, nil), w.session("left@zvictim.example", tenant, late(), late(), false)
	w.global(`DELETE FROM assim.members WHERE user_id = (SELECT id FROM assim.users WHERE email = 'left@zvictim.example')`)
	strange, _ := web.NewSession()
	// Somebody of the attacker's tenant, in the victim's by force of a row alone.
	w.person("mallory@evil.example", eve.source.Tenant, tenancy.Owner)
	foreign := w.session("mallory@evil.example", tenant, late(), late(), false)
	foreignToken := w.token("mallory@evil.example", tenant, tenancy.Owner, nil, nil)
	nobodys := w.token(owner, tenant, tenancy.Owner, nil, nil)
	if id, err := tenancy.ParseToken(nobodys.Token); err == nil {
		w.global(`UPDATE assim.api_tokens SET user_id = NULL WHERE id = $1`, id.ID)
	}
	return []tenancytest.As{
		{Name: "nobody"}, {Name: "a token by another scheme", Token: ada.token, Scheme: "Basic"}, named(nobodys, "a token that is nobody's"),
		{Name: "an unknown token", Token: tenancy.NewToken(tenancy.APIToken, [32]byte{}, "").String()},
		{Name: "a token with a forged secret", Token: forged.String()},
		{Name: "a damaged token", Token: ada.token[:len(ada.token)-1] + "_"},
		{Name: "a token without its end", Token: ada.token[:len(ada.token)-6]},
		{Name: "an enrolment token of that id", Token: relabelled.String()},
		named(w.token(owner, tenant, tenancy.Owner, nil, &past), "an expired token"),
		named(revoked, "a revoked token"), named(leftToken, "a token of who left"), named(foreignToken, "a token of who never came"),
		named(w.session(owner, tenant, past, past, false), "an expired session"),
		named(leftSession, "a session of who left"), named(foreign, "a session of who never came"),
		{Name: "an unknown session", Session: strange}, {Name: "a damaged session", Session: "AAAA"},
	}
}

// digest is a hash of all that the victim has.
func (w *isolationWorld) digest() tenancytest.Digest {
	w.t.Helper()
	d, err := tenancytest.DigestOf(w.t.Context(), w.admin, w.suite.Victim.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}
