package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"assimilation/tenancy"
)

// Authenticator looks up who a credential speaks for. It returns a *Refusal
// when the credential is no good, any other error when it could not tell.
type Authenticator interface {
	// BySession finds the actor of the session whose cookie has this hash.
	BySession(ctx context.Context, hash [32]byte) (Actor, error)
	// ByToken finds the actor of an API token, comparing its secret, and notes from
	// which address it was used.
	ByToken(ctx context.Context, token tenancy.Token, from string) (Actor, error)
}

// Refusal says why a credential was not accepted. Its text is shown to the
// client and is the label of the refusal counter.
type Refusal struct {
	Reason string
	Code   Code
}

func (r *Refusal) Error() string { return r.Reason }

// The refusals of credentials.
var (
	ErrNoCredential     = &Refusal{"sign in, or send an API token as \"Authorization: Bearer asm_api_...\"", Unauthenticated}
	ErrMalformedToken   = &Refusal{"malformed token", MalformedToken}
	ErrWrongTokenKind   = &Refusal{"wrong kind of token: an API token starts with asm_api_", WrongTokenKind}
	ErrUnknownToken     = &Refusal{"unknown token", UnknownToken}
	ErrExpiredToken     = &Refusal{"expired token", ExpiredToken}
	ErrRevokedToken     = &Refusal{"revoked token", RevokedToken}
	ErrUnknownSession   = &Refusal{"session unknown or ended", UnknownSession}
	ErrMalformedSession = &Refusal{"malformed session cookie", UnknownSession}
)

const sessionSize = 32 // random bytes of a session cookie

// NewSession makes the value of a session cookie and the hash that is stored.
func NewSession() (cookie string, hash [32]byte) {
	raw := make([]byte, sessionSize)
	rand.Read(raw) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw), sha256.Sum256(raw)
}

// authenticate finds the actor of a request. A bearer token wins over a
// cookie, so that a program that runs in a browser's profile acts as itself.
func (s *Web) authenticate(r *http.Request) (Actor, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, text, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Actor{}, ErrNoCredential
		}
		token, err := tenancy.ParseToken(strings.TrimSpace(text))
		switch {
		case err != nil:
			return Actor{}, ErrMalformedToken
		case token.Kind != tenancy.APIToken:
			return Actor{}, ErrWrongTokenKind
		}
		return s.config.Auth.ByToken(r.Context(), token, ClientAddress(r))
	}
	cookie, err := r.Cookie(s.cookieName())
	if err != nil || cookie.Value == "" {
		return Actor{}, ErrNoCredential
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cookie.Value)
	if err != nil || len(raw) != sessionSize {
		return Actor{}, ErrMalformedSession
	}
	return s.config.Auth.BySession(r.Context(), sha256.Sum256(raw))
}

// cookieName carries the __Host- prefix where browsers honour it: then no other
// host of the domain can set the cookie.
func (s *Web) cookieName() string {
	if s.secure() {
		return "__Host-assim"
	}
	return "assim"
}

func (s *Web) secure() bool { return s.config.URL != nil && s.config.URL.Scheme == "https" }

// SessionCookie is the cookie that starts a session for maxAge seconds, or
// with an empty value and a negative age ends it.
func (s *Web) SessionCookie(value string, maxAge int) *http.Cookie {
	return s.cookie(s.cookieName(), value, maxAge)
}

// StepCookie is a cookie that holds what is between two steps of a log-in.
func (s *Web) StepCookie(step, value string, maxAge int) *http.Cookie {
	return s.cookie(s.cookieName()+"-"+step, value, maxAge)
}

// Step reads the value of a StepCookie; "" when there is none.
func (s *Web) Step(r *http.Request, step string) string {
	c, err := r.Cookie(s.cookieName() + "-" + step)
	if err != nil {
		return ""
	}
	return c.Value
}

func (s *Web) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	}
}
