package sites

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// TokenState is what a token is good for now.
type TokenState string

// The states.
const (
	Active       TokenState = "active"
	Expired      TokenState = "expired"
	UsedUp       TokenState = "used up"
	TokenRevoked TokenState = "revoked"
)

// Use is what a token is for.
type Use string

// The uses.
const (
	ForProbe Use = "probe"
	ForRelay Use = "relay"
)

var kindOf = map[Use]tenancy.TokenKind{ForProbe: tenancy.EnrolToken, ForRelay: tenancy.RelayToken}

func useOf(kind tenancy.TokenKind) Use {
	if kind == tenancy.RelayToken {
		return ForRelay
	}
	return ForProbe
}

// Defaults and limits of tokens.
const (
	relayTTL     = 24 * time.Hour
	probeTTL     = 7 * 24 * time.Hour
	maxTTL       = 366 * 24 * time.Hour
	maxTokenUses = 1_000_000
	maxTokenName = 100
	maxEnded     = 10_000 // tokens of a tenant that were revoked or expired
)

// Token is a token without its secret, which nobody has any more.
type Token struct {
	ID         string            `json:"id"`
	Kind       Use               `json:"kind" enum:"probe,relay"`
	Name       string            `json:"name"`
	State      TokenState        `json:"state" enum:"active,expired,used up,revoked"`
	Labels     map[string]string `json:"labels" nullable:"false" doc:"put on the hosts that enrol with it"`
	MaxUses    *int64            `json:"max_uses,omitempty" doc:"absent: no limit"`
	Uses       int64             `json:"uses"`
	CreatedAt  time.Time         `json:"created_at"`
	CreatedBy  string            `json:"created_by"`
	ExpiresAt  *time.Time        `json:"expires_at,omitempty"`
	RevokedAt  *time.Time        `json:"revoked_at,omitempty"`
	LastUsedAt *time.Time        `json:"last_used_at,omitempty"`
	LastUsedBy string            `json:"last_used_by,omitempty"`
}

// state tells the most lasting reason first.
func (t Token) state(now time.Time) TokenState {
	switch {
	case t.RevokedAt != nil:
		return TokenRevoked
	case t.ExpiresAt != nil && !now.Before(*t.ExpiresAt):
		return Expired
	case t.MaxUses != nil && t.Uses >= *t.MaxUses:
		return UsedUp
	}
	return Active
}

// Mint is the wish for a token. Zero values mean the defaults of its use.
type Mint struct {
	Kind         Use
	Name         string
	TTL          time.Duration
	MaxUses      int64
	Labels       map[string]string
	RelayAddress string // host:port that the token carries to probes that hear no relay
}

// Minted is a token with its secret, shown this once.
type Minted struct {
	Token
	Secret  string `json:"token" doc:"the token itself; it is shown this once"`
	Install string `json:"install" doc:"shell command that installs the relay or probe with this token"`
	// Lines are all such commands; Install is the first.
	Lines []InstallLine `json:"install_lines" nullable:"false" doc:"all such commands, from where and with what they fetch; install is the first"`
}

func (m *Mint) complete() error {
	if kindOf[m.Kind] == "" {
		return huma.Error422UnprocessableEntity("kind is probe or relay")
	}
	if m.TTL == 0 {
		m.TTL = probeTTL
		if m.Kind == ForRelay {
			m.TTL = relayTTL
		}
	}
	switch {
	case m.TTL < time.Second || m.TTL > maxTTL:
		return huma.Error422UnprocessableEntity("a token lives for 1 second to 366 days")
	case m.MaxUses < 0 || m.MaxUses > maxTokenUses:
		return huma.Error422UnprocessableEntity(fmt.Sprintf("a token has 1 to %d uses", maxTokenUses))
	case len(m.Name) > maxTokenName || m.Name != uplink.Plain(m.Name, maxTokenName):
		return huma.Error422UnprocessableEntity("a token's name is plain text of at most 100 bytes")
	case m.Kind == ForRelay && (len(m.Labels) > 0 || m.RelayAddress != ""):
		return huma.Error422UnprocessableEntity("labels and a relay's address are for tokens of probes")
	case m.RelayAddress != "" && !isHostPort(m.RelayAddress):
		return huma.Error422UnprocessableEntity("relay_address is host:port")
	}
	if err := uplink.CheckLabels(m.Labels); err != nil {
		return huma.Error422UnprocessableEntity(err.Error())
	}
	if label, ok := m.Labels[uplink.Ephemeral]; ok {
		if _, err := uplink.ParseEphemeral(label); err != nil {
			return huma.Error422UnprocessableEntity(err.Error())
		}
	}
	if m.Labels == nil {
		m.Labels = map[string]string{}
	}
	return nil
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil && host != "" && n > 0 && len(s) <= 255 && s == uplink.Plain(s, 255)
}

// MintToken makes a token for a site.
func (s *Service) MintToken(ctx context.Context, actor web.Actor, siteRef string, m Mint) (Minted, error) {
	if err := m.complete(); err != nil {
		return Minted{}, err
	}
	var minted Minted
	err := s.DB.In(ctx, actor.Tenant, func(tx pgx.Tx) error {
		site, err := find(ctx, tx, siteRef)
		if err != nil {
			return err
		}
		var siteKey, sealKeyHash []byte
		var sequence int64
		err = tx.QueryRow(ctx, `
			SELECT coalesce(s.next_key, s.site_key), s.key_sequence, t.seal_key_hash
			FROM assim.sites s JOIN assim.tenants t ON t.id = s.tenant WHERE s.id = $1`, site.ID).
			Scan(&siteKey, &sequence, &sealKeyHash)
		if err != nil {
			return fmt.Errorf("reading the keys that a token pins: %w", err)
		}
		relays, err := near(ctx, tx, site.ID)
		if err != nil {
			return err
		}
		var secret tenancy.Token
		if m.Kind == ForRelay {
			secret = tenancy.NewToken(tenancy.RelayToken, [32]byte(sealKeyHash), s.publicURL())
		} else {
			// A probe that knows where a relay was listens for others all the same.
			for _, r := range relays {
				m.RelayAddress = cmp.Or(m.RelayAddress, r.serves)
			}
			secret = tenancy.NewToken(tenancy.EnrolToken, [32]byte(siteKey), m.RelayAddress)
		}
		if minted.Token, err = insertToken(ctx, tx, actor, site.ID, sequence, secret, m); err != nil {
			return err
		}
		minted.Secret = secret.String()
		minted.Lines = s.lines(m.Kind, minted.Secret, relays)
		minted.Install = minted.Lines[0].Line
		err = record(ctx, tx, actor, "token.mint", secret.ID, map[string]string{"site": site.Name, "kind": string(m.Kind), "name": m.Name})
		if err != nil {
			return err
		}
		return tenantOrdersChanged(ctx, tx, actor.Tenant)
	})
	if err != nil {
		return Minted{}, err
	}
	return minted, nil
}

func insertToken(ctx context.Context, tx pgx.Tx, actor web.Actor, site tenancy.SiteID, sequence int64, secret tenancy.Token, m Mint) (Token, error) {
	if err := quota.Room(ctx, tx, actor.Tenant, quota.Tokens); err != nil {
		return Token{}, err
	}
	_, err := tx.Exec(ctx, `DELETE FROM assim.tokens WHERE id IN (
		SELECT id FROM assim.tokens WHERE revoked_at IS NOT NULL OR expires_at <= now() ORDER BY created_at DESC, id DESC OFFSET $1)`, maxEnded)
	if err != nil {
		return Token{}, fmt.Errorf("forgetting the oldest tokens: %w", err)
	}
	labels, err := json.Marshal(m.Labels)
	if err != nil {
		return Token{}, err
	}
	t := Token{ID: secret.ID, Kind: m.Kind, Name: m.Name, State: Active, Labels: m.Labels, CreatedBy: actor.Name()}
	if m.MaxUses > 0 {
		t.MaxUses = &m.MaxUses
	}
	hash := secret.Hash()
	err = tx.QueryRow(ctx, `
		INSERT INTO assim.tokens (id, tenant, site, kind, name, hash, labels, created_by, max_uses, expires_at, key_sequence)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10 * interval '1 second', $11)
		RETURNING created_at, expires_at`,
		t.ID, actor.Tenant, site, string(secret.Kind), t.Name, hash[:], labels, t.CreatedBy, t.MaxUses, m.TTL.Seconds(), sequence).
		Scan(&t.CreatedAt, &t.ExpiresAt)
	if err != nil {
		return Token{}, fmt.Errorf("storing a token: %w", err)
	}
	t.CreatedAt, t.ExpiresAt = t.CreatedAt.UTC(), utc(t.ExpiresAt)
	return t, nil
}

// Tokens lists a site's tokens, newest first, and the cursor of the next page.
func (s *Service) Tokens(ctx context.Context, tenant tenancy.TenantID, siteRef string, page Page) (tokens []Token, next string, err error) {
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		site, err := find(ctx, tx, siteRef)
		if err != nil {
			return err
		}
		if err := given(ctx, tx, page.Cursor, `SELECT FROM assim.tokens WHERE id = $1 AND site = $2`, site.ID); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT t.id, t.kind, t.name, t.labels, t.max_uses, t.uses, t.created_at, t.created_by, t.expires_at, t.revoked_at, t.last_used_at, t.last_used_by
			FROM assim.tokens t
			WHERE t.site = $1 AND ($2 = '' OR (t.created_at, t.id) < (SELECT c.created_at, c.id FROM assim.tokens c WHERE c.id = $2))
			ORDER BY t.created_at DESC, t.id DESC LIMIT $3`, site.ID, page.Cursor, page.Limit+1)
		if err == nil {
			now := time.Now()
			tokens, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Token, error) { return scanToken(row, now) })
		}
		if err != nil {
			return fmt.Errorf("listing tokens: %w", err)
		}
		return nil
	})
	tokens, next = cut(tokens, page.Limit, func(t Token) string { return t.ID })
	return tokens, next, err
}

func scanToken(row pgx.CollectableRow, now time.Time) (Token, error) { return scanTokenWith(row, now) }

// scanTokenWith reads a row that has more columns behind a token's.
func scanTokenWith(row pgx.CollectableRow, now time.Time, more ...any) (Token, error) {
	var t Token
	var kind string
	var labels []byte
	err := row.Scan(append([]any{&t.ID, &kind, &t.Name, &labels, &t.MaxUses, &t.Uses, &t.CreatedAt, &t.CreatedBy, &t.ExpiresAt, &t.RevokedAt, &t.LastUsedAt, &t.LastUsedBy}, more...)...)
	if err != nil {
		return Token{}, err
	}
	if err := json.Unmarshal(labels, &t.Labels); err != nil {
		return Token{}, fmt.Errorf("stored labels of token %s: %w", t.ID, err)
	}
	t.Kind = useOf(tenancy.TokenKind(kind))
	t.CreatedAt, t.ExpiresAt, t.RevokedAt, t.LastUsedAt = t.CreatedAt.UTC(), utc(t.ExpiresAt), utc(t.RevokedAt), utc(t.LastUsedAt)
	t.State = t.state(now)
	return t, nil
}

// RevokeToken ends a token at once. What it enrolled stays.
func (s *Service) RevokeToken(ctx context.Context, actor web.Actor, id string) error {
	return s.DB.In(ctx, actor.Tenant, func(tx pgx.Tx) error {
		var name string
		var before *time.Time
		err := tx.QueryRow(ctx, `SELECT name, revoked_at FROM assim.tokens WHERE id = $1 FOR UPDATE`, web.Text(id)).Scan(&name, &before)
		switch {
		case err != nil:
			return notFound(err, "token")
		case before != nil:
			return nil
		}
		if _, err := tx.Exec(ctx, `UPDATE assim.tokens SET revoked_at = now() WHERE id = $1`, id); err != nil {
			return fmt.Errorf("revoking token %s: %w", id, err)
		}
		if err := record(ctx, tx, actor, "token.revoke", id, map[string]string{"name": name}); err != nil {
			return err
		}
		return tenantOrdersChanged(ctx, tx, actor.Tenant)
	})
}
