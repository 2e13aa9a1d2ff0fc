// Program provider is a real provider of OpenID Connect, made of ory/fosite, that
// knows one person. It is a module of its own: nothing of the product needs the
// fifty modules that it is made of.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	redirect := flag.String("redirect", "", "redirect address of the client")
	email := flag.String("email", "ada@example.org", "address of the person")
	group := flag.String("group", "it", "their group")
	flag.Parse()
	if err := run(*redirect, *email, *group); err != nil {
		log.Fatal(err)
	}
}

// run prints the issuer and serves until it is killed. The client is
// "assimilation" with the secret "a client's secret", the person's password
// "correct horse battery".
func run(redirect, email, group string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p := provider{issuer: "http://" + listener.Addr().String(), email: email, group: group}
	if p.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return err
	}
	secret, err := bcrypt.GenerateFromPassword([]byte("a client's secret"), bcrypt.MinCost)
	if err != nil {
		return err
	}
	global := make([]byte, 32)
	rand.Read(global)
	store := storage.NewMemoryStore()
	store.Clients["assimilation"] = &fosite.DefaultClient{ID: "assimilation", Secret: secret, RedirectURIs: []string{redirect}, ResponseTypes: []string{"code"},
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email", "profile"}}
	p.OAuth2Provider = compose.ComposeAllEnabled(&fosite.Config{IDTokenIssuer: p.issuer, GlobalSecret: global, EnforcePKCE: true, AccessTokenLifespan: time.Minute}, store, p.key)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": p.issuer, "authorization_endpoint": p.issuer + "/auth", "token_endpoint": p.issuer + "/token", "jwks_uri": p.issuer + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
			"code_challenge_methods_supported": []string{"S256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/auth", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	fmt.Println(p.issuer)
	return http.Serve(listener, mux)
}

type provider struct {
	fosite.OAuth2Provider
	issuer, email, group string
	key                  *rsa.PrivateKey
}

// authorize shows a form, and takes the password.
func (p provider) authorize(w http.ResponseWriter, r *http.Request) {
	request, err := p.NewAuthorizeRequest(r.Context(), r)
	if err != nil {
		p.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	if r.Method != http.MethodPost || r.PostFormValue("password") != "correct horse battery" {
		fmt.Fprintf(w, `<!DOCTYPE html><title>Provider</title><form method="post" action="%s"><input name="password" type="password"><button>Sign in</button></form>`, html.EscapeString(r.URL.RequestURI()))
		return
	}
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	now := time.Now().UTC()
	answer, err := p.NewAuthorizeResponse(r.Context(), request, &openid.DefaultSession{
		Claims: &jwt.IDTokenClaims{Issuer: p.issuer, Subject: "person-1", Audience: []string{"assimilation"}, IssuedAt: now, ExpiresAt: now.Add(time.Minute), RequestedAt: now, AuthTime: now,
			Extra: map[string]any{"email": p.email, "email_verified": true, "groups": []string{p.group}}},
		Headers: &jwt.Headers{Extra: map[string]any{"kid": "k"}}, Subject: "person-1",
	})
	if err != nil {
		p.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	p.WriteAuthorizeResponse(r.Context(), w, request, answer)
}

func (p provider) token(w http.ResponseWriter, r *http.Request) {
	request, err := p.NewAccessRequest(r.Context(), r, new(openid.DefaultSession))
	if err != nil {
		p.WriteAccessError(r.Context(), w, request, err)
		return
	}
	answer, err := p.NewAccessResponse(r.Context(), request)
	if err != nil {
		p.WriteAccessError(r.Context(), w, request, err)
		return
	}
	p.WriteAccessResponse(r.Context(), w, request, answer)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Print(err)
	}
}
