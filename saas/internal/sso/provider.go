package sso

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"assimilation/tenancy"
)

// provider is a tenant's identity provider.
type provider struct {
	Issuer      string
	ClientID    string
	Secret      []byte // as stored: wrapped
	RoleClaim   string
	RoleMap     map[string]tenancy.Role
	DefaultRole tenancy.Role // of who has no mapped role; "" lets them not in

	secret string
}

// said is what an ID token says of a person.
type said struct {
	Subject  string
	Email    string // "" when the provider does not call it verified
	Role     tenancy.Role
	HasRole  bool // the claim named a role
	AuthTime time.Time
}

// algorithms are the signatures that are believed: none with a shared secret, and
// not "none".
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// flow is the provider as the protocol sees it, discovered anew for each log-in:
// two small requests, and never a stale key.
type flow struct {
	oauth2.Config
	discovered *oidc.Provider
	client     *http.Client
}

func discover(ctx context.Context, client *http.Client, p provider, callback string) (flow, error) {
	discovered, err := oidc.NewProvider(oidc.ClientContext(ctx, client), p.Issuer)
	if err != nil {
		return flow{}, fmt.Errorf("asking the identity provider about itself: %w", err)
	}
	return flow{oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.secret, Endpoint: discovered.Endpoint(), RedirectURL: callback,
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}, discovered, client}, nil
}

// exchange takes the code to the provider and reads the ID token that it gives.
func (f flow) exchange(ctx context.Context, p provider, code, verifier, nonce string) (said, error) {
	ctx = oidc.ClientContext(ctx, f.client)
	tokens, err := f.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) { // its text repeats the whole answer
			return said{}, fmt.Errorf("the identity provider refused the code: %s", refused.ErrorCode)
		}
		return said{}, fmt.Errorf("taking the code to the identity provider: %w", err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return said{}, errors.New("the identity provider gave no ID token")
	}
	token, err := f.discovered.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: algorithms}).Verify(ctx, raw)
	if err != nil {
		return said{}, fmt.Errorf("the ID token is no good: %w", err)
	}
	if token.Nonce == "" || token.Nonce != nonce {
		return said{}, errors.New("the ID token is of another log-in: its nonce does not match")
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(tokens.AccessToken); err != nil {
			return said{}, fmt.Errorf("the ID token is of another access token: %w", err)
		}
	}
	claims := map[string]json.RawMessage{}
	if err := token.Claims(&claims); err != nil {
		return said{}, fmt.Errorf("reading the ID token: %w", err)
	}
	return p.read(token.Subject, claims, time.Now())
}

// read takes from the claims what is believed.
func (p provider) read(subject string, claims map[string]json.RawMessage, now time.Time) (s said, err error) {
	if subject == "" || len(subject) > 255 { // OpenID Connect Core, 2
		return s, errors.New("the ID token names nobody")
	}
	s.Subject = subject
	var email string
	if json.Unmarshal(claims["email"], &email) == nil && yes(claims["email_verified"]) {
		s.Email = strings.ToLower(strings.TrimSpace(email))
	}
	var at int64
	if json.Unmarshal(claims["auth_time"], &at) == nil && at > 0 {
		s.AuthTime = time.Unix(at, 0)
		if s.AuthTime.After(now) {
			s.AuthTime = now
		}
	}
	s.Role = p.DefaultRole
	if p.RoleClaim == "" {
		return s, nil
	}
	for _, value := range texts(claims[p.RoleClaim]) {
		if role := p.RoleMap[value]; role != "" && role != tenancy.Owner && (!s.HasRole || role.Allows(s.Role)) {
			s.Role, s.HasRole = role, true
		}
	}
	return s, nil
}

// yes reads a boolean that some providers write as text.
func yes(raw json.RawMessage) bool {
	var b bool
	var s string
	return json.Unmarshal(raw, &b) == nil && b || json.Unmarshal(raw, &s) == nil && s == "true"
}

// texts reads a claim that is a text or a list of texts.
func texts(raw json.RawMessage) []string {
	var one string
	var many []string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	return nil
}

// checkIssuer refuses what cannot be an issuer's address.
func checkIssuer(text string, private bool) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(text) > 500 || u.Scheme != "https" && !(private && u.Scheme == "http") {
		return errors.New("is not https://host/path")
	}
	return nil
}
