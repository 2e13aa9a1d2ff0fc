package sites

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/wire"
)

// Key is what people see of a site's key: by it relays prove themselves to hosts, and
// the service to relays.
type Key struct {
	Fingerprint string     `json:"fingerprint" doc:"start of the SHA-256 of the public key in force, hexadecimal" example:"9f86d081884c7d65"`
	Since       time.Time  `json:"since" doc:"since when it is in force"`
	Former      string     `json:"former,omitempty" doc:"fingerprint of the key before"`
	Next        *NextKey   `json:"next,omitempty" doc:"the key that replaces it; absent: none does"`
	Hosts       KeyHolders `json:"hosts" doc:"hosts enrolled and not retired, by whether they know the newest key"`
	Relays      KeyHolders `json:"relays" doc:"relays enrolled and not revoked, likewise"`
	Tokens      int64      `json:"tokens" doc:"tokens of probes that can be used now, and end when the next key is the only one"`
	Summary     string     `json:"summary" doc:"who knows the newest key, in words" example:"known to 27 of 30 hosts and 1 of 1 relays; hosts without it: web1 (silent since 2026-01-31T00:00:00Z)"`

	site      siteOfTheKey
	sequence  int64 // of the newest statement
	threshold int64 // who has stored statements up to here knows the newest key
}

type siteOfTheKey struct {
	id   tenancy.SiteID
	name string
}

// NextKey is a key that replaces another.
type NextKey struct {
	Fingerprint string    `json:"fingerprint" example:"60303ae22b998861"`
	Since       time.Time `json:"since" doc:"when it was made"`
}

// KeyHolders are those who should know the newest key.
type KeyHolders struct {
	Total   int64       `json:"total"`
	Knowing int64       `json:"knowing" doc:"that have stored it"`
	Missing []Unknowing `json:"missing" nullable:"false" doc:"that have not; at most 100, by name"`
}

// Unknowing is a host or a relay that does not know the newest key.
type Unknowing struct {
	ID    string     `json:"id" format:"uuid"`
	Name  string     `json:"name"`
	State string     `json:"state" doc:"of a host as its relay last said, of a relay as under /v1/sites/{site}/relays"`
	Since *time.Time `json:"since,omitempty" doc:"of a host: since when it is in that state; of a relay: its last sign of life"`
}

const (
	maxUnknowing = 100 // that are listed
	maxNamed     = 10  // in a sentence
)

// Key says how a site's key stands.
func (s *Service) Key(ctx context.Context, tenant tenancy.TenantID, ref string) (k Key, err error) {
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		site, err := find(ctx, tx, ref)
		if err == nil {
			k, err = keyOf(ctx, tx, site)
		}
		return err
	})
	return k, err
}

func keyOf(ctx context.Context, tx pgx.Tx, site Site) (Key, error) {
	k := Key{site: siteOfTheKey{site.ID, site.Name}}
	var key, former, next []byte
	var nextAt *time.Time
	err := tx.QueryRow(ctx, `SELECT site_key, coalesce(keyed_at, created_at), former_key, next_key, next_at, key_sequence FROM assim.sites WHERE id = $1`, site.ID).
		Scan(&key, &k.Since, &former, &next, &nextAt, &k.sequence)
	if err != nil {
		return Key{}, fmt.Errorf("reading the key of site %s: %w", site.ID, err)
	}
	k.Since, k.Fingerprint, k.Former = k.Since.UTC(), fingerprint(key), fingerprint(former)
	// Who knows the statement that introduced the key knows the key, whether or not
	// it has heard that the former is gone.
	k.threshold = max(0, k.sequence-1)
	if next != nil {
		k.Next, k.threshold = &NextKey{fingerprint(next), nextAt.UTC()}, k.sequence
	}
	if k.Hosts, err = holders(ctx, tx, k, `
		SELECT id, name, state, state_at, key_sequence >= $2 FROM assim.hosts WHERE site = $1 AND retired_at IS NULL`); err != nil {
		return Key{}, fmt.Errorf("counting hosts that know the key of site %s: %w", site.ID, err)
	}
	if k.Relays, err = holders(ctx, tx, k, `
		SELECT id, name, CASE WHEN seen_at IS NULL THEN 'waiting' WHEN seen_at < now() - interval '75 seconds' THEN 'silent' ELSE 'online' END, seen_at,
			key_sequence >= $2 FROM assim.relays WHERE site = $1 AND revoked_at IS NULL`); err != nil {
		return Key{}, fmt.Errorf("counting relays that know the key of site %s: %w", site.ID, err)
	}
	err = tx.QueryRow(ctx, `
		SELECT count(*) FROM assim.tokens WHERE site = $1 AND kind = 'enr' AND $2 AND key_sequence < $3 AND revoked_at IS NULL
			AND (expires_at IS NULL OR expires_at > now()) AND (max_uses IS NULL OR uses < max_uses)`, site.ID, next != nil, k.sequence).Scan(&k.Tokens)
	if err != nil {
		return Key{}, fmt.Errorf("counting tokens that pin the key of site %s: %w", site.ID, err)
	}
	k.Summary = k.inWords()
	return k, nil
}

// inWords says who knows the newest key, and names the others.
func (k Key) inWords() string {
	text := fmt.Sprintf("known to %d of %d hosts and %d of %d relays", k.Hosts.Knowing, k.Hosts.Total, k.Relays.Knowing, k.Relays.Total)
	if names := k.Hosts.names(); names != "" {
		text += "; hosts without it: " + names
	}
	if names := k.Relays.names(); names != "" {
		text += "; relays without it: " + names
	}
	return text
}

// holders reads who of those that a query selects knows the newest key.
func holders(ctx context.Context, tx pgx.Tx, k Key, query string) (KeyHolders, error) {
	h := KeyHolders{Missing: []Unknowing{}}
	err := tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE knows) FROM (`+query+`) AS all_of_them (id, name, state, since, knows)`,
		k.site.id, k.threshold).Scan(&h.Total, &h.Knowing)
	if err != nil || h.Total == h.Knowing {
		return h, err
	}
	rows, err := tx.Query(ctx, `SELECT id::text, name, state, since FROM (`+query+`) AS all_of_them (id, name, state, since, knows)
		WHERE NOT knows ORDER BY name, id LIMIT $3`, k.site.id, k.threshold, maxUnknowing)
	if err != nil {
		return KeyHolders{}, err
	}
	h.Missing, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (u Unknowing, err error) {
		err = row.Scan(&u.ID, &u.Name, &u.State, &u.Since)
		u.Since = utc(u.Since)
		return u, err
	})
	return h, err
}

// names are those who are missing, in a sentence; "" if nobody is.
func (h KeyHolders) names() string {
	var names []string
	for _, m := range h.Missing[:min(len(h.Missing), maxNamed)] {
		text := m.Name + " (" + m.State
		if m.Since != nil {
			text += " since " + m.Since.Format(time.RFC3339)
		}
		names = append(names, text+")")
	}
	if more := h.Total - h.Knowing - int64(len(names)); more > 0 && len(names) > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// fingerprint names a public key for people; "" where there is none.
func fingerprint(public []byte) string {
	if public == nil {
		return ""
	}
	hint := wire.SiteHint(public)
	return hex.EncodeToString(hint[:])
}

// record writes the audit log's entry of what was done to the key.
func (k Key) record(ctx context.Context, tx pgx.Tx, actor web.Actor, action string, detail map[string]string) error {
	detail["site"], detail["key"] = k.site.name, k.Fingerprint
	return record(ctx, tx, actor, action, k.site.id.String(), detail)
}
