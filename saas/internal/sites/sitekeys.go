package sites

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/relaychan"
	"assimilation/tenancy"
	"assimilation/wire"
)

// siteWord is what a site signs with.
type siteWord struct {
	key      ed25519.PrivateKey // in force
	next     ed25519.PrivateKey // replaces it; nil: none does
	sequence uint64             // of the newest statement about them; 0: there was none
	former   []byte             // public, of before key; nil: none was
}

// word reads it.
func (s *Service) word(ctx context.Context, tx pgx.Tx, site tenancy.SiteID) (w siteWord, err error) {
	var wrapped, nextWrapped []byte
	err = tx.QueryRow(ctx, `SELECT site_private, next_private, key_sequence, former_key FROM assim.sites WHERE id = $1`, site).
		Scan(&wrapped, &nextWrapped, &w.sequence, &w.former)
	if err != nil {
		return siteWord{}, fmt.Errorf("reading the keys of site %s: %w", site, err)
	}
	if w.key, err = relaychan.SiteKey(s.Keys, site, wrapped); err == nil && nextWrapped != nil {
		w.next, err = relaychan.SiteKey(s.Keys, site, nextWrapped)
	}
	return w, err
}

// statement is the site's word on its keys, encoded; nil where it has only ever had
// one. The same keys make the same bytes.
func (w siteWord) statement() []byte {
	if w.sequence == 0 {
		return nil
	}
	s := wire.KeyStatement{Sequence: w.sequence, Alone: w.next == nil}
	if s.Alone {
		s.Newest, s.Former = publicOf(w.key), [ed25519.PublicKeySize]byte(w.former)
		return s.Sign(w.key, nil).Append(nil)
	}
	s.Newest, s.Former = publicOf(w.next), publicOf(w.key)
	return s.Sign(w.next, w.key).Append(nil)
}

func publicOf(k ed25519.PrivateKey) [ed25519.PublicKeySize]byte {
	return [ed25519.PublicKeySize]byte(k.Public().(ed25519.PublicKey))
}
