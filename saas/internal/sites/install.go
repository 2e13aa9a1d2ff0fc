package sites

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// InstallLine is a shell command that installs, upgrades, or with another token
// moves a relay or a probe. The token is in its environment and never an argument,
// where every user of the machine could read it.
type InstallLine struct {
	From string `json:"from" doc:"service, or the name of the relay that serves what is installed"`
	Tool string `json:"tool" enum:"curl,wget" doc:"what the machine needs"`
	Line string `json:"line"`
}

// A place where the token goes, for lines that are shown without one.
const (
	anyRelayToken = "asm_rly_..."
	anyProbeToken = "asm_enr_..."
)

// InstallLines are the lines for a site, the best first, with a sign where the
// token goes.
func (s *Service) InstallLines(ctx context.Context, tenant tenancy.TenantID, siteRef string, kind Use) (lines []InstallLine, err error) {
	token := anyProbeToken
	switch kind {
	case ForProbe:
	case ForRelay:
		token = anyRelayToken
	default:
		return nil, huma.Error422UnprocessableEntity("kind is probe or relay")
	}
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		site, err := find(ctx, tx, siteRef)
		if err != nil {
			return err
		}
		relays, err := near(ctx, tx, site.ID)
		if err == nil {
			lines = s.lines(kind, token, relays)
		}
		return err
	})
	return lines, err
}

// nearRelay is a relay as the hosts of its site reach it.
type nearRelay struct {
	name, serves, installs string
	key                    []byte // of its installer
}

// near lists the relays of a site that were heard of just now, the first first.
func near(ctx context.Context, tx pgx.Tx, site tenancy.SiteID) ([]nearRelay, error) {
	rows, err := tx.Query(ctx, `
		SELECT name, serves, installs, coalesce(install_key, '') FROM assim.relays
		WHERE site = $1 AND revoked_at IS NULL AND seen_at > $2 ORDER BY created_at, id LIMIT 10`, site, time.Now().Add(-silentAfter))
	if err != nil {
		return nil, fmt.Errorf("looking for relays that hosts can reach: %w", err)
	}
	relays, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r nearRelay, err error) {
		return r, row.Scan(&r.name, &r.serves, &r.installs, &r.key)
	})
	if err != nil {
		return nil, fmt.Errorf("looking for relays that hosts can reach: %w", err)
	}
	return relays, nil
}

// plainAddress keeps what a relay says of itself from being more than host:port to
// the shell that a person pastes it into. The brackets of an IPv6 address match no
// file there.
var plainAddress = regexp.MustCompile(`^([0-9A-Za-z][0-9A-Za-z.-]*|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$`)

// lines prefers a relay of the site: hosts reach it, wherever else they do not.
func (s *Service) lines(kind Use, token string, relays []nearRelay) []InstallLine {
	var lines []InstallLine
	run := " | ASSIM_TOKEN=" + token + " sudo -E sh"
	for _, r := range relays {
		if kind != ForProbe || !plainAddress.MatchString(r.installs) || len(r.key) == 0 {
			continue
		}
		from := "https://" + r.installs + "/install.sh"
		pin := "sha256//" + base64.StdEncoding.EncodeToString(r.key)
		lines = append(lines,
			InstallLine{r.name, "curl", "curl -fsSLk --noproxy '*' --pinnedpubkey " + pin + " " + from + run},
			InstallLine{r.name, "wget", "wget -qO- --no-proxy --no-check-certificate --pinnedpubkey=" + pin + " " + from + run})
	}
	from := s.publicURL() + "/install.sh"
	return append(lines, InstallLine{"service", "curl", "curl -fsSL " + from + run}, InstallLine{"service", "wget", "wget -qO- " + from + run})
}

func (s *Service) registerInstall(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-install-lines", Method: "GET", Path: "/v1/sites/{site}/install-lines", Metadata: web.Needs(tenancy.Read), Tags: []string{"tokens"},
		Summary: "The shell commands that install a relay or probes at a site, the best first; put a token where they say asm_...",
	}, func(ctx context.Context, in *struct {
		InSite
		Kind Use `query:"kind" enum:"probe,relay" default:"probe" example:"probe"`
	}) (*list[InstallLine], error) {
		lines, err := s.InstallLines(ctx, web.ActorFrom(ctx).Tenant, in.Site, in.Kind)
		if err != nil {
			return nil, err
		}
		return listOf(lines, ""), nil
	})
}
