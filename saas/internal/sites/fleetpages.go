package sites

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

// listView is all sites and all relays.
type listView struct {
	sites     []Site
	relays    []member
	next      string
	csv       string
	mayCreate bool
	now       time.Time
}

func (s *Service) showList(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	v := listView{csv: web.CSVOf(r), mayCreate: a.May(tenancy.CreateSite), now: time.Now()}
	err := s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) (err error) {
		v.relays, err = fleet(r.Context(), tx, v.now)
		return err
	})
	if err != nil {
		return err
	}
	if web.WantsCSV(r) {
		web.SendCSV(w, "relays", []string{"site", "relay", "id", "state", "version", "seen_at", "backlog", "gaps_7d", "certified_until"}, relayRows(v.relays))
		return nil
	}
	if v.sites, v.next, err = s.List(r.Context(), a.Tenant, Page{perPage, web.Text(r.URL.Query().Get("cursor"))}); err != nil {
		return err
	}
	return web.Render(w, r, 0, "Sites and relays", section, listPage(v))
}

func relayRows(all []member) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, m := range all {
			if !yield([]string{m.siteName, m.Name, m.ID.String(), string(m.State), m.Version, csvTime(m.SeenAt), strconv.FormatInt(m.Backlog, 10),
				strconv.Itoa(m.gaps), m.CertifiedTil.Format(time.RFC3339)}) {
				return
			}
		}
	}
}

func csvTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// at are the relays of a site.
func (v listView) at(site tenancy.SiteID) (all []member) {
	for _, m := range v.relays {
		if m.site == site {
			all = append(all, m)
		}
	}
	return all
}

// ailing are the relays with problems.
func (v listView) ailing() (all []member) {
	for _, m := range v.relays {
		if len(m.problems(v.now)) > 0 {
			all = append(all, m)
		}
	}
	return all
}

// health says in a word how the relays of a site are.
func (v listView) health(site tenancy.SiteID) (ui.Tone, string) {
	online, all := 0, v.at(site)
	for _, m := range all {
		if m.State == Online {
			online++
		}
	}
	switch {
	case len(all) == 0:
		return ui.Idle, "no relay yet"
	case online == 0:
		return ui.Bad, "not heard"
	case online < len(all):
		return ui.Warn, strconv.Itoa(online) + " of " + strconv.Itoa(len(all)) + " online"
	}
	return ui.Good, "online"
}

// heard is the last word of any relay of a site.
func (v listView) heard(site tenancy.SiteID) (last *time.Time) {
	for _, m := range v.at(site) {
		if m.SeenAt != nil && (last == nil || m.SeenAt.After(*last)) {
			last = m.SeenAt
		}
	}
	return last
}

// tokensView is the tokens of all sites.
type tokensView struct {
	filter tokenFilter
	sites  []Site
	tokens []issued
	mint   *Site // for which a token can be minted here
	csv    string
	may    func(site tenancy.SiteID) bool
}

func (s *Service) showTokens(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	q := r.URL.Query()
	v := tokensView{filter: tokenFilter{web.Text(q.Get("site")), Use(q.Get("kind")), TokenState(web.Text(q.Get("state"))), web.Text(q.Get("q"))}, csv: web.CSVOf(r)}
	if _, known := kindOf[v.filter.kind]; !known {
		v.filter.kind = ""
	}
	v.may = func(site tenancy.SiteID) bool { return a.MayAt(tenancy.ManageSite, site) }
	err := s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) (err error) {
		if v.sites, err = listAll(r.Context(), tx); err != nil {
			return err
		}
		v.tokens, err = allTokens(r.Context(), tx, v.filter, time.Now())
		return err
	})
	if err != nil {
		return err
	}
	if web.WantsCSV(r) {
		web.SendCSV(w, "tokens", []string{"site", "id", "name", "kind", "state", "uses", "max_uses", "labels", "created_at", "created_by", "expires_at", "last_used_at", "last_used_by"}, tokenRows(v.tokens))
		return nil
	}
	for i, site := range v.sites {
		if chosen := v.filter.site; v.may(site.ID) && (chosen == site.Name || chosen == site.ID.String() || chosen == "" && len(v.sites) == 1) {
			v.mint = &v.sites[i]
		}
	}
	return web.Render(w, r, 0, "Enrolment tokens", "/tokens", tokensPage(v))
}

// listAll lists sites by name, for a choice.
func listAll(ctx context.Context, tx pgx.Tx) ([]Site, error) {
	rows, err := tx.Query(ctx, selectSite+`ORDER BY lower(s.name), s.id LIMIT $1`, maxFleet)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSite)
}

func tokenRows(all []issued) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, t := range all {
			most := ""
			if t.MaxUses != nil {
				most = strconv.FormatInt(*t.MaxUses, 10)
			}
			if !yield([]string{t.siteName, t.ID, t.Name, string(t.Kind), string(t.State), strconv.FormatInt(t.Uses, 10), most, ui.LabelText(t.Token.Labels),
				csvTime(&t.CreatedAt), t.CreatedBy, csvTime(t.ExpiresAt), csvTime(t.LastUsedAt), t.LastUsedBy}) {
				return
			}
		}
	}
}

// siteOptions are the choices of sites, by name; one chosen by id stays chosen.
func (v tokensView) siteOptions() []ui.Option {
	options := []ui.Option{{Value: "", Text: "all sites"}}
	for _, s := range v.sites {
		value := s.Name
		if v.filter.site == s.ID.String() {
			value = v.filter.site
		}
		options = append(options, ui.Option{Value: value, Text: s.Name})
	}
	return options
}

var (
	kindOptions  = []ui.Option{{Value: "", Text: "relays and probes"}, {Value: string(ForProbe), Text: "probes"}, {Value: string(ForRelay), Text: "relays"}}
	stateOptions = []ui.Option{{Value: "", Text: "all"}, {Value: string(Active), Text: "active"}, {Value: string(Expired), Text: "expired"},
		{Value: string(UsedUp), Text: "used up"}, {Value: string(TokenRevoked), Text: "revoked"}}
)

func (f tokenFilter) any() bool { return cmp.Or(f.site, string(f.kind), string(f.state), f.text) != "" }
