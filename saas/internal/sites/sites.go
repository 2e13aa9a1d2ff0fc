package sites

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/uplink"
)

// Site is a place of a tenant.
type Site struct {
	ID        tenancy.SiteID `json:"id" format:"uuid"`
	Name      string         `json:"name"`
	Realm     string         `json:"realm" doc:"scope of the site's private addresses"`
	CreatedAt time.Time      `json:"created_at"`
	Relays    int64          `json:"relays" doc:"relays enrolled and not revoked"`
	Hosts     int64          `json:"hosts" doc:"hosts enrolled and not retired"`
	Policy    Policy         `json:"policy"`
	Location  Location       `json:"location"`
}

const selectSite = `
	SELECT s.id, s.name, s.realm, s.created_at,
		(SELECT count(*) FROM assim.relays r WHERE r.site = s.id AND r.revoked_at IS NULL),
		(SELECT count(*) FROM assim.hosts h WHERE h.site = s.id AND h.retired_at IS NULL),
		s.residency, s.beat_ms, s.places, s.location, s.latitude, s.longitude
	FROM assim.sites s `

func scanSite(row pgx.CollectableRow) (Site, error) {
	var s Site
	err := row.Scan(&s.ID, &s.Name, &s.Realm, &s.CreatedAt, &s.Relays, &s.Hosts, &s.Policy.Residency, &s.Policy.BeatMS, &s.Policy.Places,
		&s.Location.Name, &s.Location.Latitude, &s.Location.Longitude)
	s.CreatedAt = s.CreatedAt.UTC()
	return s, err
}

// Create makes a site with a key of its own.
func (s *Service) Create(ctx context.Context, actor web.Actor, name string) (Site, error) {
	name, err := siteName(name)
	if err != nil {
		return Site{}, err
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return Site{}, fmt.Errorf("drawing a site key: %w", err)
	}
	site := Site{ID: tenancy.NewID[tenancy.SiteID](), Name: name, Policy: Policy{Residency: uplink.SiteOnly, BeatMS: 1000, Places: map[string]string{}}}
	site.Realm = site.ID.String()
	wrapped := s.Keys.Wrap(keys.OfSite(site.ID), private.Seed())
	err = s.DB.In(ctx, actor.Tenant, func(tx pgx.Tx) error {
		if err := quota.Room(ctx, tx, actor.Tenant, quota.Sites); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `
			INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES ($1, $2, $3, $4, $5, $6)
			RETURNING created_at`, site.ID, actor.Tenant, site.Name, site.Realm, []byte(public), wrapped).Scan(&site.CreatedAt)
		if isDuplicate(err) {
			return huma.Error409Conflict("there is a site of this name already")
		} else if err != nil {
			return fmt.Errorf("storing a site: %w", err)
		}
		if err := record(ctx, tx, actor, "site.create", site.ID.String(), map[string]string{"name": site.Name}); err != nil {
			return err
		}
		return allowance.Notify(ctx, tx, actor.Tenant)
	})
	site.CreatedAt = site.CreatedAt.UTC()
	return site, err
}

// siteName tidies a name and refuses what could not be told from an id in a
// URL.
func siteName(name string) (string, error) {
	name = strings.TrimSpace(name)
	_, isID := tenancy.ParseID[tenancy.SiteID](name)
	switch {
	case name == "" || len(name) > 100:
		return "", huma.Error422UnprocessableEntity("a site's name has 1 to 100 bytes")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }) || strings.Contains(name, "/"):
		return "", huma.Error422UnprocessableEntity("a site's name has no control characters and no slash")
	case isID == nil:
		return "", huma.Error422UnprocessableEntity("a site's name must not look like an id")
	}
	return name, nil
}

// List returns the tenant's sites, oldest first, and the cursor of the next
// page.
func (s *Service) List(ctx context.Context, tenant tenancy.TenantID, page Page) (sites []Site, next string, err error) {
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		if err := given(ctx, tx, page.Cursor, `SELECT FROM assim.sites WHERE id::text = $1`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, selectSite+`
			WHERE $1 = '' OR (s.created_at, s.id) > (SELECT c.created_at, c.id FROM assim.sites c WHERE c.id::text = $1)
			ORDER BY s.created_at, s.id LIMIT $2`, page.Cursor, page.Limit+1)
		if err == nil {
			sites, err = pgx.CollectRows(rows, scanSite)
		}
		if err != nil {
			return fmt.Errorf("listing sites: %w", err)
		}
		return nil
	})
	sites, next = cut(sites, page.Limit, func(s Site) string { return s.ID.String() })
	return sites, next, err
}

// Get finds a site by id or name.
func (s *Service) Get(ctx context.Context, tenant tenancy.TenantID, ref string) (site Site, err error) {
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		site, err = find(ctx, tx, ref)
		return err
	})
	return site, err
}

func find(ctx context.Context, tx pgx.Tx, ref string) (Site, error) {
	rows, err := tx.Query(ctx, selectSite+`WHERE s.id::text = lower($1) OR s.name = $1 ORDER BY s.name = $1 LIMIT 1`, web.Text(ref))
	if err != nil {
		return Site{}, fmt.Errorf("looking up a site: %w", err)
	}
	site, err := pgx.CollectExactlyOneRow(rows, scanSite)
	return site, notFound(err, "site")
}
