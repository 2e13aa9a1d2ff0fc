package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

// How long credentials live.
const (
	sessionLife  = 30 * 24 * time.Hour
	loginToken   = 90 * 24 * time.Hour  // of a token that a program gets by logging in
	maxTokenLife = 10 * 365 * 24 * 3600 // seconds
	signupLife   = 24 * time.Hour       // of the link that ends a sign-up
	resetLife    = time.Hour
	addressLife  = 24 * time.Hour
	codeLife     = 5 * time.Minute // between password and code
	knownLife    = 90 * 24 * time.Hour
)

// Limits of people who are let in anew, and of letters.
const (
	signupsPerClient = 20
	lettersPerPerson = 5
	limiterKeys      = 50_000
	waitingSignups   = 16
)

// Config is what the feature is made of. All fields but Joining are required.
type Config struct {
	DB     *store.DB
	Master *keys.Master
	Log    *slog.Logger
	Post   *mail.Post
	URL    *url.URL // how people reach the service, for links in letters
	// Joining ends invitations, and says what they hold.
	Joining Joining
}

// Joining is the side of invitations that letting people in needs.
type Joining interface {
	// Invited reads an invitation by its secret; false: there is none, or no more.
	Invited(ctx context.Context, secret string) (tenancy.Invitation, bool, error)
	// Join makes the user a member and ends the invitation, which is of their
	// address; false: it is none of theirs any more.
	Join(ctx context.Context, tx pgx.Tx, secret string, user tenancy.UserID, email string) (bool, error)
}

// Service is the feature. Make it with New.
type Service struct {
	Config

	hasher     *hasher
	provisions gate
	tries      *tries
	signups    *web.Limiter
	letters    *web.Limiter
}

// New makes the service.
func New(c Config) *Service {
	return &Service{
		Config:     c,
		hasher:     newHasher(runtime.GOMAXPROCS(0)),
		provisions: newGate(1, waitingSignups),
		tries:      newTries(),
		signups:    web.NewLimiter(30*time.Second, signupsPerClient, limiterKeys),
		letters:    web.NewLimiter(10*time.Minute, lettersPerPerson, limiterKeys),
	}
}

// client is who is at the other end of a request: for limits, and for the list
// of sessions.
type client struct {
	key, address, agent string
}

func clientOf(r *http.Request) client {
	agent := r.UserAgent()
	if len(agent) > 200 {
		agent = agent[:200]
	}
	return client{web.ClientKey(r), web.ClientAddress(r), web.Text(agent)}
}

// account is one user's place in one tenant, with what the tenant demands.
type account struct {
	User         tenancy.UserID
	Email        string
	Tenant       tenancy.TenantID
	TenantName   string
	Role         tenancy.Role
	TOTP         bool // has a second factor
	TOTPRequired bool
	SSORequired  bool
}

func (a account) actor() web.Actor {
	return web.Actor{User: a.User, Email: a.Email, Tenant: a.Tenant, TenantName: a.TenantName, Role: a.Role}
}

// mustSSO: the tenant lets this person in by its identity provider only. Owners
// can always come in by password: somebody must be able to mend the provider.
func (a account) mustSSO() bool { return a.SSORequired && a.Role != tenancy.Owner }

var (
	errTooMany = huma.ErrorWithHeaders(huma.Error429TooManyRequests("too many tries; wait a minute"), http.Header{"Retry-After": {"60"}})
	errWrong   = huma.Error401Unauthorized("e-mail address or password is wrong")
	errTaken   = huma.Error409Conflict("this e-mail address has an account already; log in")
	errLink    = huma.Error404NotFound("this link is not valid, or was used, or is too old; ask for a new one")
	errNeedSSO = huma.Error403Forbidden("your organisation lets you in by single sign-on only: open /sso")
)

// newSecret makes what stands in a link, and what is stored of it.
func newSecret() (text string, hash []byte) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw), hashSecret(raw)
}

func hashSecret(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:]
}

// secretHash is what is stored of a secret that stands in a link; nil when it is
// none.
func secretHash(text string) []byte {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 32 {
		return nil
	}
	return hashSecret(raw)
}

// link is an address of this service, for a letter.
func (s *Service) link(path string, secret string) string {
	u := s.URL.JoinPath(path)
	u.RawQuery = url.Values{"token": {secret}}.Encode()
	return u.String()
}

// send posts a letter, unless its receiver was sent too many of late.
func (s *Service) send(l mail.Letter) {
	if s.letters.Allow(l.To, time.Now()) {
		s.Post.Put(l)
	}
}

// sendLater is send for a letter that is written apart from the request, whose
// time then does not tell whether there was one to write.
func (s *Service) sendLater(write func(context.Context) (mail.Letter, bool, error)) {
	s.Post.PutDraft(func(ctx context.Context) (mail.Letter, bool, error) {
		l, ok, err := write(ctx)
		return l, ok && s.letters.Allow(l.To, time.Now()), err
	})
}

// audit writes an entry about people, whose tables are not the tenant's: after
// the change, in a transaction of its own.
func (s *Service) audit(ctx context.Context, a web.Actor, e audit.Entry) error {
	e.Actor, e.User = a.Name(), a.User
	if e.Address == "" {
		e.Address = a.Address
	}
	return s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error { return audit.Write(ctx, tx, a.Tenant, e) })
}

// auditEverywhere writes an entry about a person's own account to every tenant
// that they belong to: each has to know that a password changed.
func (s *Service) auditEverywhere(ctx context.Context, user tenancy.UserID, from client, action string) error {
	all, err := s.accountsOf(ctx, user)
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := s.audit(ctx, a.actor(), audit.Entry{Action: action, Object: user.String(), Address: from.address}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) accountsOf(ctx context.Context, user tenancy.UserID) (all []account, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		all, err = accountsOf(ctx, tx, user)
		return err
	})
	return all, err
}
