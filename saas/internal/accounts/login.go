package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

var (
	errNeedCode  = web.NewProblem(http.StatusUnauthorized, web.SecondFactorNeeded, "a code of your authenticator app is needed, too")
	errWrongCode = huma.Error401Unauthorized("the code is wrong, or was used already; wait for the next one")
)

// checkPassword finds who has this address and password. A wrong address and a
// wrong password get the same answer after the same work.
func (s *Service) checkPassword(ctx context.Context, from client, email, password string) (user, error) {
	now := time.Now()
	if !s.tries.fromAddress(from.key, now) {
		return user{}, errTooMany
	}
	email, err := normalEmail(email)
	if err != nil || len(password) > 4*maxPassword {
		return user{}, errWrong // cannot have an account: nothing to hide by working
	}
	u, err := s.lookUp(ctx, email, from)
	if err != nil {
		return user{}, err
	}
	if !s.tries.allow(email, from.key, u.Known, now) {
		return user{}, errTooMany
	}
	right, err := s.hasher.check(ctx, password, u.PasswordHash)
	if err != nil {
		return user{}, err
	}
	if !right {
		s.Log.Info("log in refused", "from", from.address)
		return user{}, errWrong
	}
	s.tries.right(email, from.key)
	return u, nil
}

// lookUp finds the user of an address; one who is not there has no id and no
// password.
func (s *Service) lookUp(ctx context.Context, email string, from client) (u user, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		u, err = findUserAt(ctx, tx, email, from.key)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return u, err
}

// choose finds the tenant that a person who gave a password enters: the one that
// is named, or the first by name. Those that want single sign-on are none.
func (s *Service) choose(ctx context.Context, u user, tenantName string) (account, error) {
	all, err := s.accountsOf(ctx, u.ID)
	if err != nil {
		return account{}, err
	}
	refusal := huma.Error403Forbidden("you belong to no tenant")
	if tenantName != "" {
		refusal = huma.Error403Forbidden("you do not belong to a tenant of this name")
	}
	for _, a := range all {
		switch {
		case tenantName != "" && a.TenantName != tenantName:
		case a.mustSSO():
			refusal = errNeedSSO
		default:
			return a, nil
		}
	}
	return account{}, refusal
}

// logIn is for programs: all at once.
func (s *Service) logIn(ctx context.Context, from client, email, password, code, tenantName string) (account, error) {
	u, err := s.checkPassword(ctx, from, email, password)
	if err != nil {
		return account{}, err
	}
	if u.hasTOTP() {
		if strings.TrimSpace(code) == "" {
			return account{}, errNeedCode
		}
		if err := s.checkCode(ctx, from, u, code); err != nil {
			return account{}, err
		}
	}
	a, err := s.choose(ctx, u, tenantName)
	if err != nil {
		return account{}, err
	}
	return a, s.remember(ctx, u, from)
}

// half is a log-in of which the password was right.
type half struct {
	Next string `json:"next"`
}

// maxCodeTries is how many codes may be tried for one password.
const maxCodeTries = 5

// begun keeps a log-in between password and code. The secret goes into a cookie:
// whoever has it has shown the password.
func (s *Service) begun(ctx context.Context, u user, h half) (secret string, err error) {
	detail, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	secret, stored := newSecret()
	now := time.Now()
	return secret, s.DB.Global(ctx, func(tx pgx.Tx) error {
		return insertLink(ctx, tx, link{Hash: stored, Purpose: linkSecondFactor, User: u.ID, Detail: detail, ExpiresAt: now.Add(codeLife)}, now)
	})
}

// finish takes the code of a log-in that was begun.
func (s *Service) finish(ctx context.Context, from client, secret, code string) (account, half, error) {
	var h half
	stored := secretHash(secret)
	var l link
	var u user
	now := time.Now()
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		if l, err = tryLink(ctx, tx, stored, linkSecondFactor, maxCodeTries, now); err != nil {
			return err
		}
		u, err = findUserByID(ctx, tx, l.User, from.key)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return account{}, h, huma.Error401Unauthorized("sign in anew: it took too long, or too many codes were wrong")
	} else if err != nil {
		return account{}, h, err
	}
	if err := json.Unmarshal(l.Detail, &h); err != nil {
		return account{}, h, err
	}
	if err := s.checkCode(ctx, from, u, code); err != nil {
		return account{}, h, err
	}
	used, err := s.useLink(ctx, stored)
	switch {
	case err != nil:
		return account{}, h, err
	case !used:
		return account{}, h, errWrongCode
	}
	a, err := s.choose(ctx, u, "")
	if err != nil {
		return account{}, h, err
	}
	return a, h, s.remember(ctx, u, from)
}

// remember notes from where a person logged in. From a new place they are told
// by letter, unless it is their first.
func (s *Service) remember(ctx context.Context, u user, from client) error {
	others := 0
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		now := time.Now()
		if _, err := tx.Exec(ctx, `DELETE FROM assim.known_addresses WHERE user_id = $1 AND seen_at < $2`, u.ID, now.Add(-knownLife)); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM assim.known_addresses WHERE user_id = $1`, u.ID).Scan(&others); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO assim.known_addresses (user_id, address, seen_at) VALUES ($1, $2, $3)
			ON CONFLICT (user_id, address) DO UPDATE SET seen_at = EXCLUDED.seen_at`, u.ID, from.key, now)
		return err
	})
	if err == nil && !u.Known && others > 0 {
		s.send(mail.Letter{To: u.Email, Subject: "Signed in from a new place", Text: "Somebody signed in to your account at Assimilation from an address that was not used before:\n\n" +
			from.address + ", " + device(from.agent) + "\n\nIf it was not you, set a new password at once:\n\n" + s.URL.JoinPath("/reset").String() + "\n"})
	}
	return err
}

// useLink ends a link; false: somebody else did.
func (s *Service) useLink(ctx context.Context, hash []byte) (used bool, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		used, err = deleteLink(ctx, tx, hash)
		return err
	})
	return used, err
}

// prove refreshes a session whose person shows a secret: the code where they have
// a second factor, else the password.
func (s *Service) prove(ctx context.Context, from client, a web.Actor, secret string) error {
	now := time.Now()
	if !s.tries.fromAddress(from.key, now) {
		return errTooMany
	}
	var u user
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		u, err = findUserByID(ctx, tx, a.User, from.key)
		return err
	})
	if err != nil {
		return err
	}
	if u.hasTOTP() {
		if err := s.checkCode(ctx, from, u, secret); err != nil {
			return err
		}
	} else if err := s.checkAgain(ctx, from, u, secret); err != nil {
		return err
	}
	return s.DB.Global(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE assim.sessions SET proved_at = $2 WHERE hash = $1`, a.Session[:], now)
		return err
	})
}

// checkAgain checks the password of who is signed in.
func (s *Service) checkAgain(ctx context.Context, from client, u user, password string) error {
	if !s.tries.allow(u.Email, from.key, u.Known, time.Now()) {
		return errTooMany
	}
	if len(password) > 4*maxPassword {
		return errWrong
	}
	right, err := s.hasher.check(ctx, password, u.PasswordHash)
	switch {
	case err != nil:
		return err
	case !right:
		return invalid("password", "is wrong")
	}
	s.tries.right(u.Email, from.key)
	return nil
}

// Enter begins a session of somebody whom a tenant's identity provider named;
// proved is when they last showed the provider a secret.
func (s *Service) Enter(ctx context.Context, r *http.Request, tenant tenancy.TenantID, u tenancy.UserID, proved time.Time) (cookie string, err error) {
	all, err := s.accountsOf(ctx, u)
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if a.Tenant == tenant {
			return s.startSession(ctx, a, clientOf(r), true, proved)
		}
	}
	return "", huma.Error403Forbidden("you do not belong to this tenant")
}
