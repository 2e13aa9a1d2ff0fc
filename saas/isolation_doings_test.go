package saas

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"assimilation/saas/internal/mail"
	"assimilation/tenancy"
	"assimilation/tenancy/tenancytest"
)

// serve makes the service that is attacked anew, as its code is now, and returns what
// ends it. Letters go into a box.
func (w *isolationWorld) serve() (stop func()) {
	w.t.Helper()
	s, err := New(w.t.Context(), w.config, slog.New(w.letters))
	if err != nil {
		w.t.Fatal(err)
	}
	w.suite.Handler, w.post = s.handler, s.post
	return s.Close
}

// fresh makes an owner of the attacker's tenant who has everything that is personal,
// with the secrets that the route wants; whatever was done before is taken back.
func (w *isolationWorld) fresh(r tenancytest.Route) tenancytest.Doer {
	w.t.Helper()
	w.again()
	from := w.somewhere()
	email, tenant, now := fmt.Sprintf("doer%d@evil.example", w.doers), w.suite.Attacker.ID, time.Now()
	w.person(email, tenant, tenancy.Owner)
	var id tenancy.UserID
	w.one(&id, `UPDATE assim.users SET password_hash = $2 WHERE email = $1 RETURNING id`, email, w.password)
	d := tenancytest.Doer{As: w.session(email, tenant, now, now.Add(time.Hour), false), Own: map[string][]string{"!id": {id.String()}, "?actor": {email}, "!password": {"correct horse battery"}, "!issuer": {w.provider.URL}}}
	d.Name, d.Address = "somebody", from
	if strings.Contains(r.Path, "/invitations") {
		d.Own["?actor"] = []string{fmt.Sprintf("guest%d@example.org", w.doers)}
	}
	_, other := w.secret()
	w.global(`INSERT INTO assim.sessions (hash, user_id, tenant, expires_at) VALUES ($1, $2, $3, now() + interval '1 hour')`, other, id, tenant)
	d.Own["sessions/{id}"] = []string{hex.EncodeToString(other)}
	view := uuid.NewString()
	w.global(`INSERT INTO assim.views (tenant, id, page, query, name, owner, created_by) VALUES ($1, $2, '/hosts', 'state=down', 'mine', $3, '')`, tenant, view, id)
	d.Own["views/{view}"] = []string{view}
	w.secrets(r, id, email, &d)
	return d
}

// secrets are what letters and an app tell somebody.
func (w *isolationWorld) secrets(r tenancytest.Route, id tenancy.UserID, email string, d *tenancytest.Doer) {
	w.t.Helper()
	link := func(purpose, email string) string {
		text, hash := w.secret()
		w.global(`INSERT INTO assim.links (hash, purpose, user_id, email, created_at, expires_at) VALUES ($1, $2, $3, $4, now(), now() + interval '1 hour')`, hash, purpose, id, email)
		return text
	}
	switch r.Path {
	case "/sites/{site}/key/retire", "/v1/sites/{site}/key/retire": // of the old key, once there is a new one
		w.suite.Send(d.As, "POST", "/v1/sites/"+w.suite.Attacker.Values["{site}"][0]+"/key/rotate", "{}")
	case "/sso":
		d.Own["?actor"] = []string{"x@eve-domain.example"}
		w.global(`UPDATE assim.domains SET proved_at = now() WHERE domain = 'eve-domain.example'`)
	case "/entry/domains", "/v1/entry/domains":
		d.Own["{domain}"] = []string{"new.example"}
	case "/entry/domains/{domain}/prove", "/v1/entry/domains/{domain}/prove":
		w.txt = sharedDomain + w.suite.Attacker.ID.String()
		d.Own["{domain}"] = []string{sharedDomain}
	case "/entry/domains/{domain}/remove", "/v1/entry/domains/{domain}":
		d.Own["{domain}"] = []string{sharedDomain}
	case "/signup/confirm", "/v1/signup/confirm":
		text, hash := w.secret()
		w.global(`INSERT INTO assim.signups (hash, email, password_hash, tenant_name, created_at, expires_at) VALUES ($1, $2, $3, 'new', now(), now() + interval '1 day')`,
			hash, fmt.Sprintf("new%d@example.org", w.doers), w.password)
		d.Own["!signup"] = []string{text}
	case "/reset/new", "/v1/reset/confirm":
		d.Own["!reset"] = []string{link("reset", "")}
	case "/account/address/confirm":
		d.Own["!address"] = []string{link("address", fmt.Sprintf("new%d@example.org", w.doers))}
	case "/account/second-factor":
		d.Own["!code"] = []string{w.appCode(id, "NULL")}
	case "/account/second-factor/codes", "/account/second-factor/remove":
		w.appCode(id, "now()")
	case "/signin/code":
		d.Step = "assim-code=" + link("second factor", "")
		d.Own["!code"] = []string{w.appCode(id, "now()")}
	case "/invitation/accept":
		text, hash := w.secret()
		w.global(`INSERT INTO assim.invitations (id, tenant, hash, email, role, invited_by, created_at, expires_at, inviter)
			SELECT gen_random_uuid(), m.tenant, $1, $2, 'viewer', 'x', now(), now() + interval '1 day', m.user_id FROM assim.members m JOIN assim.users u ON u.id = m.user_id WHERE u.email = 'owes@owing.example'`, hash, email)
		d.Own["!invitation"] = []string{text}
	case "/tenant/keep", "/v1/tenant/deletion":
		if r.Path == "/tenant/keep" || r.Method == "DELETE" {
			w.global(`INSERT INTO assim.deletions (tenant, asked_at, asked_by, due_at) VALUES ($1, now(), 'x', now() + interval '30 days')`, w.suite.Attacker.ID)
		}
	}
}

// secret is one as letters have them, and what is stored of it.
func (w *isolationWorld) secret() (text string, hash []byte) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails since Go 1.24
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(raw), sum[:]
}

// afterDoing is touched, and who got a letter that is not about them.
func (w *isolationWorld) afterDoing(r tenancytest.Route) string {
	w.t.Helper()
	letters := w.posted() // some are written now
	var leave []string
	if strings.Contains(r.Path, "entry/provider") {
		leave = append(leave, "identities.user_id") // those of everybody in the own tenant end
	}
	if what := w.touched(leave...); what != "" {
		return what
	}
	for _, l := range letters {
		if strings.Contains(l.To, "zvictim") || strings.Contains(l.To, "bystander") {
			return fmt.Sprintf("a letter goes to %s: %s", l.To, l.Subject)
		}
	}
	return ""
}

// posted are the letters since it was called last.
func (w *isolationWorld) posted() []mail.Letter {
	ctx, stop := context.WithCancel(w.t.Context())
	defer stop()
	w.letters.last = stop
	w.post.Put(mail.Letter{To: lastLetter})
	w.post.Run(ctx) // until the last letter
	came := w.letters.came
	w.letters.came = nil
	return came
}

const lastLetter = "the last"

// letterBox is the log of a service that writes its letters there.
type letterBox struct {
	came []mail.Letter
	last func() // is called for the last letter
}

func (b *letterBox) Enabled(context.Context, slog.Level) bool { return true }
func (b *letterBox) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *letterBox) WithGroup(string) slog.Handler            { return b }

func (b *letterBox) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "mail" {
		return nil
	}
	var l mail.Letter
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "to":
			l.To = a.Value.String()
		case "subject":
			l.Subject = a.Value.String()
		}
		return true
	})
	if l.To == lastLetter {
		b.last()
		return nil
	}
	b.came = append(b.came, l)
	return nil
}
