package accounts

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/secondfactor"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
)

// checkCode takes a code of the person's app, or one of their recovery codes.
// Each is good once.
func (s *Service) checkCode(ctx context.Context, from client, u user, code string) error {
	now := time.Now()
	if !s.tries.allow("code "+u.ID.String(), from.key, u.Known, now) {
		s.send(mail.Letter{To: u.Email, Subject: "Wrong codes", Text: "Somebody who knows your password at Assimilation tries codes of your second factor, from " + from.address +
			".\n\nIf it is not you, set a new password:\n\n" + s.URL.JoinPath("/reset").String() + "\n"})
		return errTooMany
	}
	right, err := s.takeCode(ctx, u, code, now)
	switch {
	case err != nil:
		return err
	case !right:
		return errWrongCode
	}
	s.tries.right("code "+u.ID.String(), from.key)
	return nil
}

// takeCode uses a code up, so that who saw it typed cannot use it again.
func (s *Service) takeCode(ctx context.Context, u user, code string, now time.Time) (bool, error) {
	if hash, ok := secondfactor.RecoveryHash(code); ok {
		var used int64
		err := s.DB.Global(ctx, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `DELETE FROM assim.recovery_codes WHERE user_id = $1 AND hash = $2`, u.ID, hash)
			used = tag.RowsAffected()
			return err
		})
		return used > 0, err
	}
	secret, err := s.Master.Unwrap(keys.OfSecondFactor(u.ID), u.TOTPSecret)
	if err != nil {
		return false, err
	}
	step, ok, err := secondfactor.Check(secret, code, now, u.TOTPStep)
	if err != nil || !ok {
		return false, err
	}
	var used int64
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE assim.users SET totp_step = $2 WHERE id = $1 AND totp_step < $2`, u.ID, step)
		used = tag.RowsAffected()
		return err
	})
	return used > 0, err
}

// offerSecret is the secret that a person without a second factor is to put into
// their app: the one that waits already, or a new one.
func (s *Service) offerSecret(ctx context.Context, id tenancy.UserID) (secret []byte, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		u, err := findUserByID(ctx, tx, id, "")
		switch {
		case err != nil:
			return err
		case u.hasTOTP():
			return huma.Error409Conflict("you have a second factor already")
		case u.TOTPSecret != nil:
			secret, err = s.Master.Unwrap(keys.OfSecondFactor(id), u.TOTPSecret)
			return err
		}
		secret = secondfactor.NewSecret()
		_, err = tx.Exec(ctx, `UPDATE assim.users SET totp_secret = $2, totp_at = NULL, totp_step = 0 WHERE id = $1 AND totp_at IS NULL`,
			id, s.Master.Wrap(keys.OfSecondFactor(id), secret))
		return err
	})
	return secret, err
}

// enrol takes the first code of the app: the person has the secret. It answers
// the recovery codes, which are shown this once. Other sessions end: whoever else
// has one showed a password only.
func (s *Service) enrol(ctx context.Context, from client, a web.Actor, code string) ([]string, error) {
	var u user
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		u, err = findUserByID(ctx, tx, a.User, from.key)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case u.hasTOTP():
		return nil, huma.Error409Conflict("you have a second factor already")
	case u.TOTPSecret == nil:
		return nil, huma.Error409Conflict("begin anew: no secret waits for a code")
	}
	if err := s.checkCode(ctx, from, u, code); err != nil {
		return nil, err
	}
	codes, hashes := secondfactor.NewRecoveryCodes()
	now := time.Now()
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE assim.users SET totp_at = $2 WHERE id = $1 AND totp_at IS NULL`, u.ID, now); err != nil {
			return err
		}
		if err := putRecoveryCodes(ctx, tx, u.ID, hashes); err != nil {
			return err
		}
		return endSessions(ctx, tx, u.ID, a.Session[:])
	})
	if err != nil {
		return nil, err
	}
	s.notice(u.Email, "A second factor was set up", "A second factor was set up for your account.")
	return codes, s.auditEverywhere(ctx, u.ID, from, "account.second-factor.add")
}

// renewRecoveryCodes makes new ones; the old are good no more.
func (s *Service) renewRecoveryCodes(ctx context.Context, from client, a web.Actor) ([]string, error) {
	codes, hashes := secondfactor.NewRecoveryCodes()
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		u, err := findUserByID(ctx, tx, a.User, "")
		switch {
		case err != nil:
			return err
		case !u.hasTOTP():
			return huma.Error409Conflict("you have no second factor")
		}
		return putRecoveryCodes(ctx, tx, a.User, hashes)
	})
	if err != nil {
		return nil, err
	}
	return codes, s.auditEverywhere(ctx, a.User, from, "account.recovery-codes.renew")
}

// dropSecondFactor removes it, where no tenant of the person's wants one.
func (s *Service) dropSecondFactor(ctx context.Context, from client, a web.Actor) error {
	all, err := s.accountsOf(ctx, a.User)
	if err != nil {
		return err
	}
	for _, at := range all {
		if at.TOTPRequired {
			return huma.Error409Conflict("your tenant " + at.TenantName + " wants its people to have a second factor")
		}
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE assim.users SET totp_secret = NULL, totp_at = NULL, totp_step = 0 WHERE id = $1`, a.User); err != nil {
			return err
		}
		return putRecoveryCodes(ctx, tx, a.User, nil)
	})
	if err != nil {
		return err
	}
	s.notice(a.Email, "Your second factor was removed", "The second factor of your account was removed.")
	return s.auditEverywhere(ctx, a.User, from, "account.second-factor.remove")
}

// notice tells a person what was done to their account.
func (s *Service) notice(to, subject, what string) {
	s.send(mail.Letter{To: to, Subject: subject, Text: what + "\n\nIf it was not you, set a new password at once:\n\n" + s.URL.JoinPath("/reset").String() + "\n"})
}
