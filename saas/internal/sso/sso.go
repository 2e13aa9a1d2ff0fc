package sso

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"golang.org/x/oauth2"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

const (
	attemptLife  = 10 * time.Minute
	step         = "sso" // the cookie between here and the provider
	attemptEvery = 2 * time.Second
	attemptBurst = 20
	limiterKeys  = 50_000
)

// Config is what the feature is made of. All fields are required.
type Config struct {
	DB     *store.DB
	Master *keys.Master
	Log    *slog.Logger
	URL    *url.URL
	Client *http.Client // for addresses that tenants name
	// Private: providers may be at addresses without TLS, as Client must allow.
	Private bool
	// LookupTXT asks DNS, as net.Resolver does.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	// Enter begins a session of a member, and returns its cookie's value; proved is
	// when the provider last saw the person's secret.
	Enter func(ctx context.Context, r *http.Request, tenant tenancy.TenantID, user tenancy.UserID, proved time.Time) (cookie string, err error)
	// SessionSeconds is how long a browser keeps the cookie.
	SessionSeconds int
}

// Service is the feature. Make it with New.
type Service struct {
	Config
	attempts *web.Limiter
}

// New makes the service.
func New(c Config) *Service {
	return &Service{c, web.NewLimiter(attemptEvery, attemptBurst, limiterKeys)}
}

var (
	errTooMany    = huma.ErrorWithHeaders(huma.Error429TooManyRequests("too many tries; wait a minute"), http.Header{"Retry-After": {"60"}})
	errNoProvider = huma.Error404NotFound("this tenant lets nobody in by single sign-on")
	errNoAttempt  = huma.Error403Forbidden("this log-in was not begun in this browser, or took too long, or was used already; begin anew")
	errProvider   = huma.Error502BadGateway("your organisation's identity provider did not answer as it should; ask who runs it")
)

// callback is where a tenant's provider sends people back. Each tenant has its
// own, so that no provider can answer for another's.
func (s *Service) callback(tenant tenancy.TenantID) string {
	return s.URL.JoinPath("/sso/" + tenant.String() + "/callback").String()
}

// provider reads a tenant's provider, with its secret.
func (s *Service) provider(ctx context.Context, tenant tenancy.TenantID) (p provider, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		p, err = findProvider(ctx, tx, tenant)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return p, errNoProvider
	} else if err != nil {
		return p, err
	}
	secret, err := s.Master.Unwrap(keys.OfIdentityProvider(tenant), p.Secret)
	p.secret = string(secret)
	return p, err
}

// begin makes an attempt, and returns the cookie's value and the address at the
// provider. fresh: the provider must ask for the secret again.
func (s *Service) begin(ctx context.Context, from string, tenant tenancy.TenantID, next string, fresh bool) (cookie, there string, err error) {
	if !s.attempts.Allow(from, time.Now()) {
		return "", "", errTooMany
	}
	p, err := s.provider(ctx, tenant)
	if err != nil {
		return "", "", err
	}
	f, err := discover(ctx, s.Client, p, s.callback(tenant))
	if err != nil {
		s.Log.Warn("single sign-on", "tenant", tenant, "error", err)
		return "", "", errProvider
	}
	cookie, hash := newSecret()
	state, stateHash := newSecret()
	nonce, _ := newSecret()
	a := attempt{tenant, p.Issuer, stateHash, nonce, oauth2.GenerateVerifier(), next}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error { return insertAttempt(ctx, tx, hash, a, time.Now(), attemptLife) })
	if err != nil {
		return "", "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if fresh {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return cookie, f.AuthCodeURL(state, options...), nil
}

// finish takes what came back from the provider. The attempt is used up by it,
// whatever it is.
func (s *Service) finish(ctx context.Context, r *http.Request, tenant tenancy.TenantID, cookie string) (session, next string, err error) {
	q := r.URL.Query()
	var a attempt
	err = s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		a, err = takeAttempt(ctx, tx, secretHash(cookie), time.Now())
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", "", errNoAttempt
	} else if err != nil {
		return "", "", err
	}
	if a.Tenant != tenant || subtle.ConstantTimeCompare(secretHash(q.Get("state")), a.State) != 1 {
		return "", "", errNoAttempt
	}
	if iss := q.Get("iss"); q.Has("iss") && iss != a.Issuer {
		return "", "", errNoAttempt
	}
	if problem := q.Get("error"); problem != "" {
		return "", "", huma.Error403Forbidden("your organisation's identity provider says no: " + errorCode(problem))
	}
	p, err := s.provider(ctx, tenant)
	if err != nil {
		return "", "", err
	}
	if p.Issuer != a.Issuer {
		return "", "", errNoAttempt // another provider was set meanwhile
	}
	f, err := discover(ctx, s.Client, p, s.callback(tenant))
	var who said
	if err == nil {
		who, err = f.exchange(ctx, p, q.Get("code"), a.Verifier, a.Nonce)
	}
	if err != nil {
		s.Log.Warn("single sign-on", "tenant", tenant, "error", err)
		return "", "", errProvider
	}
	var came found
	err = s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		came, err = enter(ctx, tx, tenant, a.Issuer, who)
		return err
	})
	if isTaken(err) {
		return "", "", errNoAttempt // came in twice at once
	} else if err != nil {
		return "", "", err
	}
	if err := s.note(ctx, r, tenant, came); err != nil {
		return "", "", err
	}
	session, err = s.Enter(ctx, r, tenant, came.user, who.AuthTime)
	return session, a.Next, err
}

// note writes down what the provider's word changed.
func (s *Service) note(ctx context.Context, r *http.Request, tenant tenancy.TenantID, f found) error {
	e := audit.Entry{Actor: f.email + " (single sign-on)", User: f.user, Address: web.ClientAddress(r), Object: f.user.String(), After: map[string]string{"role": string(f.current)}}
	switch {
	case f.joined:
		e.Action = "member.join"
	case f.before != "":
		e.Action, e.Before = "member.role", map[string]string{"role": string(f.before)}
	default:
		return nil
	}
	return s.DB.In(ctx, tenant, func(tx pgx.Tx) error { return audit.Write(ctx, tx, tenant, e) })
}

// errorCode is an error of OAuth (RFC 6749, 4.1.2.1), which has few characters.
func errorCode(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r == '_' {
			return r
		}
		return -1
	}, s[:min(len(s), 40)])
}

func newSecret() (text string, hash []byte) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails since Go 1.24
	text = base64.RawURLEncoding.EncodeToString(raw)
	return text, secretHash(text)
}

func secretHash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
