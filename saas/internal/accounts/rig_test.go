package accounts_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/internal/mailtest"
	"assimilation/saas/internal/accounts"
	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/members"
	"assimilation/saas/internal/web"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// rig is the feature, with members beside it, behind a real front, on a real
// database.
type rig struct {
	t       *testing.T
	db      *store.DB
	master  *keys.Master
	handler http.Handler
	front   *web.Web
	mail    *mailtest.Server // nil: no mail is sent
}

func newRig(t *testing.T) *rig { return newRigWith(t, "", nil) }

// newMailRig is newRig with a service that sends letters.
func newMailRig(t *testing.T) *rig {
	server := mailtest.New(t)
	return newRigWith(t, server.URL(), server)
}

func newRigWith(t *testing.T, smtp string, server *mailtest.Server) *rig {
	t.Helper()
	master, err := keys.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.Open(t)
	log := slog.New(slog.DiscardHandler)
	metrics := prometheus.NewRegistry()
	post, err := mail.New(smtp, "no-reply@assimilation.example", log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		post.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	public := &url.URL{Scheme: "http", Host: "localhost"}
	company := members.New(members.Config{DB: db, Post: post, URL: public, Log: log})
	s := accounts.New(accounts.Config{DB: db, Master: master, Log: log, Post: post, URL: public, Joining: company})
	front := web.New(web.Config{Auth: s, Places: company, Hub: web.NewHub(db, log), Log: log, Metrics: metrics,
		URL: public, Version: "test", Ready: db.Ping})
	s.Register(front.API)
	s.Pages(front)
	company.Register(front.API)
	company.Pages(front)
	handler, err := front.Handler()
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, db, master, handler, front, server}
}

// do sends a request from an address of the given client; header is name, value.
func (r *rig) do(from, method, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.RemoteAddr = from + ":4711"
	if strings.HasPrefix(path, "/v1/") {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "text/html")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return w
}

// call is do with a token and a JSON answer.
func (r *rig) call(token, method, path, body string, out any) int {
	r.t.Helper()
	w := r.do("192.0.2.9", method, path, body, "Authorization", "Bearer "+token)
	if out != nil && w.Code < 300 {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			r.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return w.Code
}

type entered struct {
	Token  string
	Email  string
	Role   string
	Tenant struct{ ID, Name string }
}

func (r *rig) signUp(email, tenant string) entered {
	r.t.Helper()
	w := r.do("192.0.2.1", "POST", "/v1/signup", credentials(email, password, tenant))
	if w.Code != http.StatusCreated {
		r.t.Fatalf("sign up of %s: %d %s", email, w.Code, w.Body)
	}
	var e entered
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		r.t.Fatal(err)
	}
	return e
}

const password = "correct horse battery"

func credentials(email, password, tenant string) string {
	m := map[string]string{"email": email, "password": password}
	if tenant != "" {
		m["tenant"] = tenant
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}
