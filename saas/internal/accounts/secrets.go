package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// askReset sends a link by which a new password can be set. The answer does not
// tell whether there is such an account.
func (s *Service) askReset(from client, email string) error {
	if !s.tries.fromAddress(from.key, time.Now()) {
		return errTooMany
	}
	email, err := normalEmail(email)
	if err != nil {
		return err
	}
	s.sendLater(func(ctx context.Context) (mail.Letter, bool, error) {
		text, err := s.ResetLink(ctx, email)
		return mail.Letter{To: email, Subject: "Set a new password", Text: "Somebody, we hope you, asked to set a new password for your account at Assimilation.\n\n" +
			"Follow this link within an hour:\n\n" + text + "\n\nIf it was not you, do nothing: your password stays.\n"}, text != "", err
	})
	return nil
}

// ResetLink makes a link by which who has it sets a new password; "" where the
// address has no account.
func (s *Service) ResetLink(ctx context.Context, email string) (string, error) {
	secret, stored := newSecret()
	now := time.Now()
	found := false
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		u, err := findUser(ctx, tx, email)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		found = true
		return insertLink(ctx, tx, link{Hash: stored, Purpose: linkReset, User: u.ID, ExpiresAt: now.Add(resetLife)}, now)
	})
	if err != nil || !found {
		return "", err
	}
	return s.link("/reset/new", secret), nil
}

// reset sets a new password. Whoever came in by the old one is out: sessions,
// API tokens and other links end. A second factor stays.
func (s *Service) reset(ctx context.Context, from client, secret, password string) error {
	if !s.tries.fromAddress(from.key, time.Now()) {
		return errTooMany
	}
	stored := secretHash(secret)
	now := time.Now()
	var u user
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		l, err := findLink(ctx, tx, stored, linkReset, now)
		if err != nil {
			return err
		}
		u, err = findUserByID(ctx, tx, l.User, from.key)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return errLink
	} else if err != nil {
		return err
	}
	if err := checkNewPassword(password, u.Email); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		used, err := deleteLink(ctx, tx, stored)
		switch {
		case err != nil:
			return err
		case !used:
			return errLink
		}
		if _, err := tx.Exec(ctx, `UPDATE assim.users SET password_hash = $2, verified_at = coalesce(verified_at, $3) WHERE id = $1`, u.ID, hash, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM assim.links WHERE user_id = $1`, u.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE assim.api_tokens SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL`, u.ID, now); err != nil {
			return err
		}
		return endSessions(ctx, tx, u.ID, nil)
	})
	if err != nil {
		return err
	}
	s.tries.right(u.Email, from.key)
	s.notice(u.Email, "Your password was changed", "A new password was set for your account. All sessions and API tokens ended.")
	return s.auditEverywhere(ctx, u.ID, from, "account.password.reset")
}

// setPassword changes the password of who is signed in and knows the old one. Who
// has none (single sign-on made the account) asks for a reset. Other sessions end.
func (s *Service) setPassword(ctx context.Context, from client, a web.Actor, old, password string) error {
	var u user
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		u, err = findUserByID(ctx, tx, a.User, from.key)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.checkAgain(ctx, from, u, old); err != nil {
		return err
	}
	if err := checkNewPassword(password, u.Email); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE assim.users SET password_hash = $2 WHERE id = $1`, u.ID, hash); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM assim.links WHERE user_id = $1`, u.ID); err != nil {
			return err
		}
		return endSessions(ctx, tx, u.ID, a.Session[:])
	})
	if err != nil {
		return err
	}
	s.notice(u.Email, "Your password was changed", "A new password was set for your account.")
	return s.auditEverywhere(ctx, u.ID, from, "account.password.set")
}

// askAddress sends a link to a new address: following it makes it the person's.
// Both addresses are told, and the answer does not say whether the new one has an
// account.
func (s *Service) askAddress(ctx context.Context, from client, a web.Actor, email string) error {
	email, err := normalEmail(email)
	if err != nil {
		return err
	}
	if !s.Post.Reaches() {
		return s.setAddress(ctx, from, a.User, a.Email, email, false)
	}
	secret, stored := newSecret()
	now := time.Now()
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		return insertLink(ctx, tx, link{Hash: stored, Purpose: linkAddress, User: a.User, Email: email, ExpiresAt: now.Add(addressLife)}, now)
	})
	if err != nil {
		return err
	}
	s.send(mail.Letter{To: email, Subject: "Confirm your new e-mail address", Text: "Somebody, we hope you, wants this to be the address of their account at Assimilation.\n\n" +
		"Follow this link within a day:\n\n" + s.link("/account/address/confirm", secret) + "\n\nIf it was not you, do nothing.\n"})
	s.notice(a.Email, "Your e-mail address is to change", "Somebody who is signed in as you wants "+email+" to be the address of your account.")
	return nil
}

// confirmAddress ends a change of address.
func (s *Service) confirmAddress(ctx context.Context, from client, secret string) error {
	if !s.tries.fromAddress(from.key, time.Now()) {
		return errTooMany
	}
	stored := secretHash(secret)
	var l link
	var u user
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		if l, err = findLink(ctx, tx, stored, linkAddress, time.Now()); err != nil {
			return err
		}
		if u, err = findUserByID(ctx, tx, l.User, from.key); err != nil {
			return err
		}
		used, err := deleteLink(ctx, tx, stored)
		if err == nil && !used {
			return errLink
		}
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return errLink
	} else if err != nil {
		return err
	}
	return s.setAddress(ctx, from, u.ID, u.Email, l.Email, true)
}

func (s *Service) setAddress(ctx context.Context, from client, id tenancy.UserID, before, after string, verified bool) error {
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE assim.users SET email = $2, verified_at = CASE WHEN $3 THEN now() END WHERE id = $1`, id, after, verified)
		return err
	})
	if isTaken(err) {
		return errTaken
	} else if err != nil {
		return err
	}
	s.notice(before, "Your e-mail address was changed", "The address of your account is "+after+" now.")
	return s.auditEverywhere(ctx, id, from, "account.address.set")
}
