package accounts

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

// How long credentials live.
const (
	sessionLife  = 30 * 24 * time.Hour
	loginToken   = 90 * 24 * time.Hour  // of a token that a program gets by logging in
	maxTokenLife = 10 * 365 * 24 * 3600 // seconds
)

// Limits of tries. A person mistypes a few times; a whole office may sit behind
// one address.
const (
	triesPerAddress  = 30
	triesPerAccount  = 10
	signupsPerClient = 20
	limiterKeys      = 50_000
	waitingSignups   = 16
)

// Service is the feature. Make it with New.
type Service struct {
	DB     *store.DB
	Master *keys.Master
	Log    *slog.Logger

	hasher     *hasher
	provisions gate
	byAddress  *web.Limiter
	byAccount  *web.Limiter
	signups    *web.Limiter
}

// New makes the service.
func New(db *store.DB, master *keys.Master, log *slog.Logger) *Service {
	return &Service{
		DB: db, Master: master, Log: log,
		hasher:     newHasher(runtime.GOMAXPROCS(0)),
		provisions: newGate(1, waitingSignups),
		byAddress:  web.NewLimiter(2*time.Second, triesPerAddress, limiterKeys),
		byAccount:  web.NewLimiter(6*time.Second, triesPerAccount, limiterKeys),
		signups:    web.NewLimiter(30*time.Second, signupsPerClient, limiterKeys),
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

// account is one user's place in one tenant.
type account struct {
	User       tenancy.UserID
	Email      string
	Tenant     tenancy.TenantID
	TenantName string
	Role       tenancy.Role
}

func (a account) actor() web.Actor {
	return web.Actor{User: a.User, Email: a.Email, Tenant: a.Tenant, TenantName: a.TenantName, Role: a.Role}
}

var (
	errTooMany = huma.ErrorWithHeaders(huma.Error429TooManyRequests("too many tries; wait a minute"), http.Header{"Retry-After": {"60"}})
	errWrong   = huma.Error401Unauthorized("e-mail address or password is wrong")
	errTaken   = huma.Error409Conflict("this e-mail address has an account already; log in")
)

// signUp makes a user, a tenant and the membership. The tenant is made before
// the user: what a crash in between leaves is an empty tenant that nobody can
// reach, not an account that cannot log in.
func (s *Service) signUp(ctx context.Context, from client, email, password, tenantName string) (account, error) {
	if !s.signups.Allow(from.key, time.Now()) {
		return account{}, errTooMany
	}
	email, err := normalEmail(email)
	if err != nil {
		return account{}, err
	}
	if err := checkNewPassword(password, email); err != nil {
		return account{}, err
	}
	if tenantName, err = plainName("tenant", tenantName, maxTenantName); err != nil {
		return account{}, err
	}
	if err := s.mustBeFree(ctx, email); err != nil {
		return account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return account{}, err
	}
	a := account{tenancy.NewID[tenancy.UserID](), email, tenancy.NewID[tenancy.TenantID](), tenantName, tenancy.Owner}
	if err := s.provision(ctx, a); err != nil {
		return account{}, err
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error { return insertOwner(ctx, tx, a, hash) })
	if isTaken(err) {
		return account{}, errTaken
	} else if err != nil {
		return account{}, err
	}
	s.Log.Info("signed up", "user", a.User, "tenant", a.Tenant)
	return a, s.audit(ctx, a.actor(), "tenant.create", a.Tenant.String(), map[string]string{"name": a.TenantName})
}

func (s *Service) mustBeFree(ctx context.Context, email string) error {
	return s.DB.Global(ctx, func(tx pgx.Tx) error {
		_, err := findUser(ctx, tx, email)
		switch {
		case err == nil:
			return errTaken
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		}
		return err
	})
}

// provision makes room for the tenant. It takes most of a second and the
// database's whole lock on roles, on an administrator's connection of its own:
// of these the server has few.
func (s *Service) provision(ctx context.Context, a account) error {
	if err := s.provisions.enter(ctx); err != nil {
		return err
	}
	defer s.provisions.leave()
	key, err := uplink.NewOpenKey()
	if err != nil {
		return err
	}
	private, err := key.Bytes()
	if err != nil {
		return err
	}
	return s.DB.Provision(ctx, store.Tenant{
		ID: a.Tenant, Name: a.TenantName,
		SealKey: key.SealKey().Bytes(), SealPrivate: s.Master.Wrap(keys.OfTenant(a.Tenant), private),
	})
}

// logIn checks a password and chooses the tenant: the one that is named, or the
// only or first one by name.
func (s *Service) logIn(ctx context.Context, from client, email, password, tenantName string) (account, error) {
	now := time.Now()
	if !s.byAddress.Allow(from.key, now) {
		return account{}, errTooMany
	}
	email, err := normalEmail(email)
	if err != nil || len(password) > 4*maxPassword {
		return account{}, errWrong // cannot have an account: nothing to hide by working
	}
	if !s.byAccount.Allow(email, now) {
		return account{}, errTooMany
	}
	var u user
	err = s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		u, err = findUser(ctx, tx, email)
		return err
	})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return account{}, err
	}
	right, err := s.hasher.check(ctx, password, u.PasswordHash)
	if err != nil {
		return account{}, err
	}
	if !right {
		s.Log.Info("log in refused", "from", from.address)
		return account{}, errWrong
	}
	var all []account
	err = s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		all, err = accountsOf(ctx, tx, u.ID)
		return err
	})
	if err != nil {
		return account{}, err
	}
	for _, a := range all {
		if tenantName == "" || a.TenantName == tenantName {
			return a, nil
		}
	}
	if tenantName == "" {
		return account{}, huma.Error403Forbidden("you belong to no tenant")
	}
	return account{}, huma.Error403Forbidden("you do not belong to a tenant of this name")
}

// audit writes an entry about people, whose tables are not the tenant's: after
// the change, in a transaction of its own.
func (s *Service) audit(ctx context.Context, a web.Actor, action, object string, detail map[string]string) error {
	return s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: action, Object: object, Detail: detail})
	})
}
