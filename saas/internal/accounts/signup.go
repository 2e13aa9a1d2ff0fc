package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/mail"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

// signUp takes a newcomer in. Where letters reach people, it only sends one: the
// account, with its tenant, is made when its link is followed, and until then
// nobody holds the address. The answer does not tell whether the address has an
// account: the letter does. A mark says that the newcomer is to look for it; it is
// what the newcomer's browser may show instead of the password.
func (s *Service) signUp(ctx context.Context, from client, email, password, tenantName string) (a account, mark string, err error) {
	if !s.signups.Allow(from.key, time.Now()) {
		return account{}, "", errTooMany
	}
	if email, err = normalEmail(email); err != nil {
		return account{}, "", err
	}
	if err := checkNewPassword(password, email); err != nil {
		return account{}, "", err
	}
	if tenantName, err = plainName("tenant", tenantName, maxTenantName); err != nil {
		return account{}, "", err
	}
	if s.Post.Reaches() {
		mark, err = s.askToConfirm(ctx, email, password, tenantName)
		return account{}, mark, err
	}
	if err := s.mustBeFree(ctx, email); err != nil {
		return account{}, "", err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return account{}, "", err
	}
	a, err = s.make(ctx, from, email, hash, tenantName, false)
	return a, "", err
}

// markOf is what the browser that signed up is told apart by when the letter's
// link is followed in it. Nobody can make it who does not hold the password's
// hash, with its salt, and the service's key.
func (s *Service) markOf(email, passwordHash string) string {
	mac := hmac.New(sha256.New, []byte(s.Master.Derive("browsers that signed up")))
	fmt.Fprintf(mac, "%s\x00%s", email, passwordHash)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// askToConfirm stores the sign-up and sends its link. For an address that has an
// account it does the same work, and the letter says so.
func (s *Service) askToConfirm(ctx context.Context, email, password, tenantName string) (mark string, err error) {
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return "", err
	}
	secret, stored := newSecret()
	now := time.Now()
	known := false
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM assim.signups WHERE expires_at <= $1`, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO assim.signups (hash, email, password_hash, tenant_name, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			stored, email, hash, tenantName, now, now.Add(signupLife)); err != nil {
			return err
		}
		known, err = isKnown(ctx, tx, email)
		return err
	})
	if err != nil {
		return "", err
	}
	s.send(s.confirmation(email, secret, known))
	return s.markOf(email, hash), nil
}

// confirmation is the letter about a sign-up.
func (s *Service) confirmation(email, secret string, known bool) mail.Letter {
	l := mail.Letter{To: email, Subject: "Confirm your e-mail address", Text: "Somebody, we hope you, signed up at Assimilation with this address.\n\n" +
		"Follow this link within a day; in another browser than you signed up with, it asks for the password that you chose:\n\n" + s.link("/signup/confirm", secret) +
		"\n\nIf it was not you, do nothing: no account is made.\n"}
	if known {
		l = mail.Letter{To: email, Subject: "You have an account already", Text: "Somebody, perhaps you, tried to sign up at Assimilation with this address, which has an account already.\n\n" +
			"Sign in:\n\n" + s.URL.JoinPath("/signin").String() + "\n\nIf you do not know the password any more:\n\n" + s.URL.JoinPath("/reset").String() +
			"\n\nIf it was not you, you need not do anything.\n"}
	}
	return l
}

// resend sends the link of a sign-up anew. Of what it finds its answer tells
// nothing.
func (s *Service) resend(from client, email string) error {
	if !s.signups.Allow(from.key, time.Now()) {
		return errTooMany
	}
	email, err := normalEmail(email)
	if err != nil {
		return err
	}
	s.sendLater(func(ctx context.Context) (mail.Letter, bool, error) {
		secret, stored := newSecret()
		now := time.Now()
		var found, known bool
		err := s.DB.Global(ctx, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `
				UPDATE assim.signups SET hash = $2, expires_at = $3
				WHERE hash = (SELECT hash FROM assim.signups WHERE email = $1 AND expires_at > $4 ORDER BY created_at DESC LIMIT 1)`,
				email, stored, now.Add(signupLife), now)
			if err != nil {
				return err
			}
			found = tag.RowsAffected() > 0
			known, err = isKnown(ctx, tx, email)
			return err
		})
		return s.confirmation(email, secret, known), found, err
	})
	return nil
}

// isKnown reports whether an address has an account.
func isKnown(ctx context.Context, tx pgx.Tx, email string) (bool, error) {
	_, err := findUser(ctx, tx, email)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// signup is what waits for its letter's link.
type signup struct {
	stored                  []byte // hash of the link's secret
	email, hash, tenantName string
}

func (s *Service) findSignup(ctx context.Context, secret string) (w signup, err error) {
	if w.stored = secretHash(secret); w.stored == nil {
		return w, errLink
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT email, password_hash, tenant_name FROM assim.signups WHERE hash = $1 AND expires_at > $2`, w.stored, time.Now()).
			Scan(&w.email, &w.hash, &w.tenantName)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return w, errLink
	}
	return w, err
}

// confirm ends a sign-up: whoever follows its link and knows the password that
// was chosen is the one who signed up. Without the password, somebody else could
// sign up with an address and have its owner open the account for them.
func (s *Service) confirm(ctx context.Context, from client, secret, password string) (account, error) {
	if !s.tries.fromAddress(from.key, time.Now()) {
		return account{}, errTooMany
	}
	waiting, err := s.findSignup(ctx, secret)
	if err != nil {
		return account{}, err
	}
	if !s.tries.allow("signup "+waiting.email, from.key, false, time.Now()) {
		return account{}, errTooMany
	}
	right, err := s.hasher.check(ctx, password, waiting.hash)
	switch {
	case err != nil:
		return account{}, err
	case !right:
		return account{}, invalid("password", "is not the one that you chose when you signed up")
	}
	s.tries.right("signup "+waiting.email, from.key)
	return s.open(ctx, from, waiting)
}

// confirmHere is confirm in the browser that signed up, as its mark shows; with
// any other mark it is false, and nothing happened.
func (s *Service) confirmHere(ctx context.Context, from client, secret, mark string) (account, bool, error) {
	if mark == "" || !s.tries.fromAddress(from.key, time.Now()) {
		return account{}, false, nil
	}
	waiting, err := s.findSignup(ctx, secret)
	if errors.Is(err, errLink) || err == nil && !hmac.Equal([]byte(mark), []byte(s.markOf(waiting.email, waiting.hash))) {
		return account{}, false, nil
	} else if err != nil {
		return account{}, false, err
	}
	a, err := s.open(ctx, from, waiting)
	return a, err == nil, err
}

// open makes the account of a sign-up that is proved. The link ends first: of two
// who follow it one goes on.
func (s *Service) open(ctx context.Context, from client, waiting signup) (account, error) {
	var used int64
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM assim.signups WHERE hash = $1`, waiting.stored)
		used = tag.RowsAffected()
		return err
	})
	switch {
	case err != nil:
		return account{}, err
	case used == 0:
		return account{}, errLink
	}
	a, err := s.make(ctx, from, waiting.email, waiting.hash, waiting.tenantName, true)
	if err == nil {
		err = s.DB.Global(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `DELETE FROM assim.signups WHERE email = $1`, waiting.email)
			return err
		})
	}
	return a, err
}

// make makes a user, a tenant and the membership. The tenant is made before the
// user: what a crash in between leaves is an empty tenant that nobody can reach,
// not an account that cannot log in.
func (s *Service) make(ctx context.Context, from client, email, hash, tenantName string, verified bool) (account, error) {
	if err := s.mustBeFree(ctx, email); err != nil {
		return account{}, err
	}
	a := account{User: tenancy.NewID[tenancy.UserID](), Email: email, Tenant: tenancy.NewID[tenancy.TenantID](), TenantName: tenantName, Role: tenancy.Owner}
	if err := s.provision(ctx, a.Tenant, tenantName); err != nil {
		return account{}, err
	}
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		if err := insertUser(ctx, tx, a.User, email, hash, verified); err != nil {
			return err
		}
		return insertMember(ctx, tx, a.Tenant, a.User, a.Role)
	})
	if isTaken(err) {
		return account{}, errTaken
	} else if err != nil {
		return account{}, err
	}
	s.Log.Info("signed up", "user", a.User, "tenant", a.Tenant)
	return a, s.audit(ctx, a.actor(), audit.Entry{Action: "tenant.create", Object: a.Tenant.String(), Detail: map[string]string{"name": tenantName}, Address: from.address})
}

// signUpInvited makes an account for who was invited: its link went to the
// address, and the tenant is the one that asked.
func (s *Service) signUpInvited(ctx context.Context, from client, secret, password string) (account, error) {
	if !s.signups.Allow(from.key, time.Now()) {
		return account{}, errTooMany
	}
	i, ok, err := s.Joining.Invited(ctx, secret)
	switch {
	case err != nil:
		return account{}, err
	case !ok:
		return account{}, errLink
	}
	if err := checkNewPassword(password, i.Email); err != nil {
		return account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return account{}, err
	}
	a := account{User: tenancy.NewID[tenancy.UserID](), Email: i.Email, Tenant: i.Tenant, TenantName: i.TenantName, Role: i.Role}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		if err := insertUser(ctx, tx, a.User, a.Email, hash, s.Post.Reaches()); err != nil {
			return err
		}
		joined, err := s.Joining.Join(ctx, tx, secret, a.User, a.Email)
		if err == nil && !joined {
			return errLink
		}
		return err
	})
	if isTaken(err) {
		return account{}, errTaken
	} else if err != nil {
		return account{}, err
	}
	return a, s.audit(ctx, a.actor(), audit.Entry{Action: "member.join", Object: a.User.String(), After: map[string]string{"role": string(a.Role)}, Address: from.address})
}

func (s *Service) mustBeFree(ctx context.Context, email string) error {
	return s.DB.Global(ctx, func(tx pgx.Tx) error {
		known, err := isKnown(ctx, tx, email)
		if err == nil && known {
			return errTaken
		}
		return err
	})
}

// provision makes room for the tenant. It takes most of a second and the
// database's whole lock on roles, on an administrator's connection of its own:
// of these the server has few.
func (s *Service) provision(ctx context.Context, tenant tenancy.TenantID, name string) error {
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
		ID: tenant, Name: name, SealKey: key.SealKey().Bytes(), SealPrivate: s.Master.Wrap(keys.OfTenant(tenant), private),
	})
}
