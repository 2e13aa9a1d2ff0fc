package store

import (
	"encoding/json"
	"fmt"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// Token is an enrolment token as the service last described it, and what was
// counted of it here.
type Token struct {
	uplink.TokenOrder
	Used int64
}

// Token looks one up.
func (tx *Tx) Token(id string) (t Token, found bool, err error) {
	var labels string
	found, err = tx.row(`SELECT id, hash, expires, revoked, allowance, labels, wrong_site, used_up, used FROM tokens WHERE id = ?`, []any{id},
		&t.ID, &t.Hash, &t.Expires, &t.Revoked, &t.Allowance, &labels, &t.WrongSite, &t.UsedUp, &t.Used)
	if err != nil || !found {
		return Token{}, false, err
	}
	if t.Labels, err = parseLabels(labels); err != nil {
		return Token{}, false, err
	}
	return t, true, nil
}

// ApplyOrders replaces tokens, policy and retired hosts by the snapshot in o,
// renews the certificate, and notes the revision. It returns the hosts retired by it.
func (tx *Tx) ApplyOrders(o uplink.Orders, now int64) ([]tenancy.HostID, error) {
	err := tx.exec(`UPDATE relay SET orders = ?, orders_at = ?, revoked = ?, site_name = iif(?4 = '', site_name, ?4),
		certificate = iif(length(?5) = 0, certificate, ?5), tenant_key = iif(length(?6) = 0, tenant_key, ?6)`,
		int64(o.Revision), now, o.Revoked, o.SiteName, append([]byte{}, o.Certificate...), append([]byte{}, o.TenantKey...))
	if err != nil {
		return nil, fmt.Errorf("noting orders: %w", err)
	}
	if o.Revoked {
		return nil, nil
	}
	if err := tx.keepSite(o); err != nil {
		return nil, fmt.Errorf("noting the site's policy: %w", err)
	}
	if err := tx.keepSiteKeys(o); err != nil {
		return nil, fmt.Errorf("noting the site's keys: %w", err)
	}
	if err := tx.decide(o.Policy); err != nil {
		return nil, fmt.Errorf("applying the policy of residency: %w", err)
	}
	if err := tx.replaceTokens(o.Tokens); err != nil {
		return nil, fmt.Errorf("replacing tokens: %w", err)
	}
	if err := tx.replaceRelays(o.Relays); err != nil {
		return nil, fmt.Errorf("replacing relays: %w", err)
	}
	return tx.replaceRetired(o.Retired)
}

// keepSite notes what the orders say of the site. A service that gives no secret
// takes none back, and none who was revoked is trusted again.
func (tx *Tx) keepSite(o uplink.Orders) error {
	policy, err := json.Marshal(o.Policy)
	if err != nil {
		return err
	}
	return tx.exec(`UPDATE relay SET policy = ?1, site_secret = iif(length(?2) > 0, ?2, site_secret),
		revocation = iif(length(?3) > 0, ?3, revocation)`, string(policy), o.SiteSecret, o.Revocation)
}

// replaceTokens keeps the counts: a token that the service no longer lists may
// come back, and must not start from 0.
func (tx *Tx) replaceTokens(orders []uplink.TokenOrder) error {
	if err := tx.exec("UPDATE tokens SET revoked = 1, wrong_site = 0"); err != nil {
		return err
	}
	if err := tx.exec("DELETE FROM tokens WHERE used = 0"); err != nil {
		return err
	}
	for _, t := range orders {
		labels, err := json.Marshal(t.Labels)
		if err != nil {
			return err
		}
		err = tx.exec(`INSERT INTO tokens (id, hash, expires, revoked, allowance, labels, wrong_site, used_up) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, expires = excluded.expires, revoked = excluded.revoked,
			allowance = excluded.allowance, labels = excluded.labels, wrong_site = excluded.wrong_site, used_up = excluded.used_up`,
			t.ID, t.Hash, t.Expires, t.Revoked, t.Allowance, string(labels), t.WrongSite, t.UsedUp)
		if err != nil {
			return err
		}
	}
	return nil
}

// SpendToken counts one use for host and records it.
func (tx *Tx) SpendToken(id string, host tenancy.HostID, now int64) error {
	if err := tx.exec("UPDATE tokens SET used = used + 1 WHERE id = ?", id); err != nil {
		return fmt.Errorf("counting a token's use: %w", err)
	}
	return tx.Append(uplink.Change{Type: uplink.TokenUse, Host: host, SeenAt: now, Token: id})
}

func parseLabels(text string) (map[string]string, error) {
	var labels map[string]string
	if err := json.Unmarshal([]byte(text), &labels); err != nil {
		return nil, fmt.Errorf("reading labels: %w", err)
	}
	return labels, nil
}
