package sso

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
)

// Limits of settings.
const (
	maxMapped = 50
)

func (s *Service) rules(ctx context.Context, a web.Actor) (r rules, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		r, err = rulesOf(ctx, tx, a.Tenant)
		return err
	})
	return r, err
}

// setRules changes what the tenant demands. It holds for sessions that are open,
// too, from their next request on.
func (s *Service) setRules(ctx context.Context, a web.Actor, after rules) error {
	var before rules
	err := s.DB.Global(ctx, func(tx pgx.Tx) (err error) {
		if before, err = rulesOf(ctx, tx, a.Tenant); err != nil {
			return err
		}
		if after.SSORequired {
			if _, err := findProvider(ctx, tx, a.Tenant); errors.Is(err, pgx.ErrNoRows) {
				return huma.Error409Conflict("set an identity provider first: else nobody could come in")
			} else if err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO assim.entry_rules (tenant, totp_required, sso_required) VALUES ($1, $2, $3)
			ON CONFLICT (tenant) DO UPDATE SET totp_required = EXCLUDED.totp_required, sso_required = EXCLUDED.sso_required`,
			a.Tenant, after.TOTPRequired, after.SSORequired); err != nil {
			return err
		}
		return notifyLeft(ctx, tx, a.Tenant)
	})
	if err != nil {
		return err
	}
	return s.audit(ctx, a, audit.Entry{Action: "entry.rules", Before: before.words(), After: after.words()})
}

func (r rules) words() map[string]string {
	return map[string]string{"second_factor_required": fmt.Sprint(r.TOTPRequired), "sso_required": fmt.Sprint(r.SSORequired)}
}

// notifyLeft makes the live streams of the tenant look whether they may go on.
func notifyLeft(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) error {
	_, err := tx.Exec(ctx, `NOTIFY `+web.Channel+`, '`+tenant.String()+` `+string(web.People)+`'`)
	return err
}

// providerChange is what a provider is to be; an empty secret keeps the one that
// is there, of the same issuer.
type providerChange struct {
	Issuer, ClientID, ClientSecret, RoleClaim string
	RoleMap                                   map[string]string
	DefaultRole                               string
}

// setProvider sets the tenant's identity provider, once it has answered.
func (s *Service) setProvider(ctx context.Context, a web.Actor, c providerChange) error {
	p, err := s.check(c)
	if err != nil {
		return err
	}
	before, err := s.provider(ctx, a.Tenant)
	known := err == nil
	if err != nil && !errors.Is(err, errNoProvider) {
		return err
	}
	if p.secret = c.ClientSecret; p.secret == "" {
		if !known || before.Issuer != p.Issuer {
			return huma.Error422UnprocessableEntity("client_secret: is missing")
		}
		p.secret = before.secret
	}
	if _, err := discover(ctx, s.Client, p, s.callback(a.Tenant)); err != nil {
		s.Log.Info("identity provider refused", "tenant", a.Tenant, "error", err)
		return huma.Error422UnprocessableEntity("issuer: does not answer as a provider of OpenID Connect of this name at /.well-known/openid-configuration")
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO assim.identity_providers (tenant, issuer, client_id, client_secret, role_claim, role_map, default_role, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (tenant) DO UPDATE SET issuer = EXCLUDED.issuer, client_id = EXCLUDED.client_id, client_secret = EXCLUDED.client_secret, role_claim = EXCLUDED.role_claim,
				role_map = EXCLUDED.role_map, default_role = EXCLUDED.default_role, updated_at = EXCLUDED.updated_at`,
			a.Tenant, p.Issuer, p.ClientID, s.Master.Wrap(keys.OfIdentityProvider(a.Tenant), []byte(p.secret)), p.RoleClaim, p.RoleMap, p.DefaultRole, time.Now())
		return err
	})
	if err != nil {
		return err
	}
	e := audit.Entry{Action: "entry.provider", After: p.words()}
	if known {
		e.Before = before.words()
	}
	return s.audit(ctx, a, e)
}

func (p provider) words() map[string]string {
	var mapped []string
	for _, value := range slices.Sorted(maps.Keys(p.RoleMap)) {
		mapped = append(mapped, value+"="+string(p.RoleMap[value]))
	}
	return map[string]string{"issuer": p.Issuer, "client_id": p.ClientID, "role_claim": p.RoleClaim, "roles": strings.Join(mapped, " "), "default_role": string(p.DefaultRole)}
}

func (s *Service) check(c providerChange) (p provider, err error) {
	bad := func(field, why string) (provider, error) {
		return provider{}, huma.Error422UnprocessableEntity(field + ": " + why)
	}
	if err := checkIssuer(c.Issuer, s.Private); err != nil {
		return bad("issuer", err.Error())
	}
	if c.ClientID == "" || len(c.ClientID) > 500 || len(c.ClientSecret) > 500 || strings.ContainsAny(c.ClientID+c.ClientSecret, "\x00\r\n") {
		return bad("client_id", "is missing or too long")
	}
	if len(c.RoleClaim) > 100 || len(c.RoleMap) > maxMapped {
		return bad("role_claim", "is too long, or has too many values")
	}
	p = provider{Issuer: c.Issuer, ClientID: web.Text(c.ClientID), RoleClaim: web.Text(c.RoleClaim), RoleMap: map[string]tenancy.Role{}}
	for value, name := range c.RoleMap {
		if len(value) > 200 || value == "" {
			return bad("role_map", "a value is empty or too long")
		}
		if p.RoleMap[web.Text(value)], err = given(name); err != nil {
			return bad("role_map", err.Error())
		}
	}
	if c.DefaultRole != "" {
		if p.DefaultRole, err = given(c.DefaultRole); err != nil {
			return bad("default_role", err.Error())
		}
	}
	return p, nil
}

// given is a role that a provider may give: it makes no owners.
func given(name string) (tenancy.Role, error) {
	role, err := tenancy.ParseRole(name)
	if err == nil && role == tenancy.Owner {
		err = errors.New("a provider makes no owners")
	}
	return role, err
}

// dropProvider ends single sign-on, and the sessions that it began.
func (s *Service) dropProvider(ctx context.Context, a web.Actor) error {
	before, err := s.provider(ctx, a.Tenant)
	if err != nil {
		return err
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		for _, sql := range []string{
			`DELETE FROM assim.identity_providers WHERE tenant = $1`, `DELETE FROM assim.identities WHERE tenant = $1`, `DELETE FROM assim.sso_attempts WHERE tenant = $1`,
			`DELETE FROM assim.sessions WHERE tenant = $1 AND sso`, `UPDATE assim.entry_rules SET sso_required = false WHERE tenant = $1`,
		} {
			if _, err := tx.Exec(ctx, sql, a.Tenant); err != nil {
				return err
			}
		}
		return notifyLeft(ctx, tx, a.Tenant)
	})
	if err != nil {
		return err
	}
	return s.audit(ctx, a, audit.Entry{Action: "entry.provider", Before: before.words()})
}

// RFC 1123 names with at least two parts, as people's addresses have.
var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$`)

// challengePrefix begins what the TXT record of a domain must say.
const challengePrefix = "assimilation-domain="

// addDomain notes a domain that the tenant says is its own, and what its DNS has
// to say to prove it.
func (s *Service) addDomain(ctx context.Context, a web.Actor, name string) (d domain, err error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if len(name) > 253 || !domainName.MatchString(name) {
		return d, huma.Error422UnprocessableEntity("domain: is not a name like example.org")
	}
	text, _ := newSecret()
	d = domain{Name: name, Challenge: challengePrefix + text}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		if err := quota.Room(ctx, tx, a.Tenant, quota.Domains); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO assim.domains (tenant, domain, challenge) VALUES ($1, $2, $3)`, a.Tenant, name, d.Challenge)
		return err
	})
	if isTaken(err) {
		return d, huma.Error409Conflict("this domain is in the list already")
	} else if err != nil {
		return d, err
	}
	return d, s.audit(ctx, a, audit.Entry{Action: "entry.domain.add", Object: name})
}

// proveDomain looks whether the domain's DNS says what it has to.
func (s *Service) proveDomain(ctx context.Context, a web.Actor, name string) error {
	var challenge string
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT challenge FROM assim.domains WHERE tenant = $1 AND domain = $2`, a.Tenant, name).Scan(&challenge)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return huma.Error404NotFound("there is no such domain in the list")
	} else if err != nil {
		return err
	}
	if !s.attempts.Allow("domain "+a.Tenant.String(), time.Now()) {
		return errTooMany
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	records, err := s.LookupTXT(ctx, name)
	if err != nil || !slices.Contains(records, challenge) {
		return huma.Error409Conflict("the domain has no TXT record that says " + challenge + "; DNS may take a while")
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE assim.domains SET proved_at = $3 WHERE tenant = $1 AND domain = $2`, a.Tenant, name, time.Now())
		return err
	})
	if isTaken(err) {
		return huma.Error409Conflict("another tenant has proved this domain; whoever runs the service can tell")
	} else if err != nil {
		return err
	}
	return s.audit(ctx, a, audit.Entry{Action: "entry.domain.prove", Object: name})
}

func (s *Service) dropDomain(ctx context.Context, a web.Actor, name string) error {
	var dropped int64
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM assim.domains WHERE tenant = $1 AND domain = $2`, a.Tenant, name)
		dropped = tag.RowsAffected()
		return err
	})
	switch {
	case err != nil:
		return err
	case dropped == 0:
		return huma.Error404NotFound("there is no such domain in the list")
	}
	return s.audit(ctx, a, audit.Entry{Action: "entry.domain.remove", Object: name})
}

func (s *Service) domains(ctx context.Context, a web.Actor) (all []domain, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		all, err = domainsOf(ctx, tx, a.Tenant)
		return err
	})
	return all, err
}

// audit writes an entry about how people come in, whose tables are not the
// tenant's: after the change, in a transaction of its own.
func (s *Service) audit(ctx context.Context, a web.Actor, e audit.Entry) error {
	e.Actor, e.User, e.Address = a.Name(), a.User, a.Address
	return s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error { return audit.Write(ctx, tx, a.Tenant, e) })
}
