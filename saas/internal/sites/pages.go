package sites

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
	"assimilation/uplink"
)

const section = "/sites" // of the navigation

// perPage is how many sites a list, and relays or tokens a site's page shows.
const perPage = 200

// fewHosts is how many hosts a site's page lists; with more it is a page of their
// own that does.
const fewHosts = 20

// readyWithin is how long a new relay may take to fetch what it serves to hosts.
const readyWithin = time.Minute

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /sites", tenancy.Read, s.showList)
	w.Page("POST /sites", tenancy.CreateSite, s.postSite)
	w.Page("GET /sites/{site}", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		return s.showSite(w, r, a, http.StatusOK, r.PathValue("site"), nil)
	})
	w.Page("POST /sites/{site}/tokens", tenancy.ManageSite, s.postToken)
	w.Page("POST /sites/{site}/policy", tenancy.ManageSite, s.postPolicy)
	w.Page("POST /sites/{site}/location", tenancy.ManageSite, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := parseForm(r); err != nil {
			return err
		}
		if err := s.locate(r.Context(), a, r.PathValue("site"), r.PostForm.Get("location"), r.PostForm.Get("coordinates")); err != nil {
			return err
		}
		http.Redirect(w, r, backTo(r), http.StatusSeeOther)
		return nil
	})
	w.Page("POST /sites/{site}/key/rotate", tenancy.ManageSite, s.postRotate)
	w.Page("POST /sites/{site}/key/retire", tenancy.ManageSite, s.postRetire)
	w.Page("GET /tokens", tenancy.Read, s.showTokens)
	// A reload, or the script's refresh, of the page that showed a token.
	w.Page("GET /sites/{site}/tokens", tenancy.Read, func(w http.ResponseWriter, r *http.Request, _ web.Actor) error {
		http.Redirect(w, r, backTo(r), http.StatusSeeOther)
		return nil
	})
	w.Page("POST /sites/{site}/tokens/{token}/revoke", tenancy.ManageSite, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.RevokeToken(r.Context(), a, web.Text(r.PathValue("token"))); err != nil {
			return err
		}
		http.Redirect(w, r, backTo(r), http.StatusSeeOther)
		return nil
	})
	w.Page("POST /sites/{site}/relays/{relay}/revoke", tenancy.ManageSite, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.RevokeRelay(r.Context(), a, r.PathValue("relay")); err != nil {
			return err
		}
		http.Redirect(w, r, backTo(r), http.StatusSeeOther)
		return nil
	})
}

func pathOf(s Site) templ.SafeURL { return templ.SafeURL("/sites/" + s.ID.String()) }

// backTo is the page of the site in the request's path; a reference that is no
// id leads to the list, so that the redirect holds nothing a stranger wrote. A form
// of the page of all tokens says that it stands there.
func backTo(r *http.Request) string {
	if r.PostFormValue("from") == "tokens" {
		return "/tokens"
	}
	id, err := tenancy.ParseID[tenancy.SiteID](r.PathValue("site"))
	if err != nil {
		return "/sites"
	}
	return "/sites/" + id.String()
}

// postSite makes the site and at once its first relay token: the next thing
// everybody wants is the install line.
func (s *Service) postSite(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	if err := parseForm(r); err != nil {
		return err
	}
	site, err := s.Create(r.Context(), a, r.PostForm.Get("name"))
	if err != nil {
		return err
	}
	minted, err := s.MintToken(r.Context(), a, site.ID.String(), Mint{Kind: ForRelay})
	if err != nil {
		return err
	}
	return s.showSite(w, r, a, http.StatusCreated, site.ID.String(), &minted)
}

func (s *Service) postToken(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	if err := parseForm(r); err != nil {
		return err
	}
	wish, err := readMint(r)
	if err != nil {
		return err
	}
	minted, err := s.MintToken(r.Context(), a, web.Text(r.PathValue("site")), wish)
	if err != nil {
		return err
	}
	return s.showSite(w, r, a, http.StatusCreated, r.PathValue("site"), &minted)
}

func (s *Service) postPolicy(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	if err := parseForm(r); err != nil {
		return err
	}
	var change PolicyChange
	if residency := uplink.Residency(r.PostForm.Get("residency")); residency != "" {
		change.Residency = &residency
	}
	beat, err := number(r.PostForm.Get("beat_ms"))
	if err != nil {
		return huma.Error422UnprocessableEntity("the heartbeat is a whole number of milliseconds")
	}
	if beat != 0 {
		change.BeatMS = &beat
	}
	if r.PostForm.Has("places") {
		change.Places = map[string]string{}
	}
	for line := range strings.Lines(r.PostForm.Get("places")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		// The place is last: a label has a sign of its own.
		at := strings.LastIndex(line, ":")
		if at < 0 {
			return huma.Error422UnprocessableEntity("places are one per line: name=value: place")
		}
		change.Places[strings.TrimSpace(line[:at])] = strings.TrimSpace(line[at+1:])
	}
	if _, err := s.SetPolicy(r.Context(), a, web.Text(r.PathValue("site")), change); err != nil {
		return err
	}
	http.Redirect(w, r, backTo(r), http.StatusSeeOther)
	return nil
}

func (s *Service) postRotate(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	if err := parseForm(r); err != nil {
		return err
	}
	rotate := s.RotateKey
	if r.PostForm.Get("compromised") != "" {
		rotate = s.ReplaceKey
	}
	if _, err := rotate(r.Context(), a, web.Text(r.PathValue("site"))); err != nil {
		return err
	}
	http.Redirect(w, r, backTo(r), http.StatusSeeOther)
	return nil
}

func (s *Service) postRetire(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if _, err := s.RetireKey(r.Context(), a, web.Text(r.PathValue("site")), r.PostForm.Get("force") != ""); err != nil {
		return err
	}
	http.Redirect(w, r, backTo(r), http.StatusSeeOther)
	return nil
}

// placeLines are the places as the form has them.
func placeLines(p Policy) string {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p.Places)) {
		lines.WriteString(name + ": " + p.Places[name] + "\n")
	}
	return lines.String()
}

func readMint(r *http.Request) (Mint, error) {
	m := Mint{Kind: Use(r.PostForm.Get("kind")), Name: strings.TrimSpace(r.PostForm.Get("name")), RelayAddress: strings.TrimSpace(r.PostForm.Get("relay_address"))}
	seconds, err := number(r.PostForm.Get("ttl"))
	if err != nil || seconds > int64(maxTTL.Seconds()) {
		return m, huma.Error422UnprocessableEntity("a token lives for 1 second to 366 days")
	}
	m.TTL = time.Duration(seconds) * time.Second
	if m.MaxUses, err = number(r.PostForm.Get("max_uses")); err != nil {
		return m, huma.Error422UnprocessableEntity("most uses is a whole number")
	}
	for pair := range strings.SplitSeq(r.PostForm.Get("labels"), ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return m, huma.Error422UnprocessableEntity("labels are name=value, with commas between them")
		}
		if m.Labels == nil {
			m.Labels = map[string]string{}
		}
		m.Labels[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return m, nil
}

// number reads a field that may be empty.
func number(s string) (int64, error) {
	if s = strings.TrimSpace(s); s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && n <= 0 {
		err = strconv.ErrRange
	}
	return n, err
}

func parseForm(r *http.Request) error {
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return huma.Error400BadRequest("the form could not be read")
	}
	return err
}

func (s *Service) showSite(w http.ResponseWriter, r *http.Request, a web.Actor, status int, ref string, minted *Minted) error {
	ref = web.Text(ref)
	v := siteView{minted: minted}
	var err error
	if v.site, err = s.Get(r.Context(), a.Tenant, ref); err != nil {
		return err
	}
	v.mayMint = a.MayAt(tenancy.ManageSite, v.site.ID)
	if v.relays, _, err = s.Relays(r.Context(), a.Tenant, ref, Page{Limit: perPage}); err != nil {
		return err
	}
	if v.key, err = s.Key(r.Context(), a.Tenant, ref); err != nil {
		return err
	}
	if v.pending, err = s.PendingAt(r.Context(), a.Tenant, ref); err != nil {
		return err
	}
	if v.tokens, _, err = s.Tokens(r.Context(), a.Tenant, ref, Page{Limit: perPage}); err != nil {
		return err
	}
	err = s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) error {
		if v.verdicts, err = s.Verdicts(r.Context(), tx, v.site.ID); err != nil {
			return err
		}
		if v.site.Hosts > 0 && v.site.Hosts <= fewHosts {
			if v.hosts, err = s.FewHosts(r.Context(), tx, v.site.ID, fewHosts); err != nil {
				return err
			}
		}
		v.happened, err = s.Happened(r.Context(), tx, v.site.ID)
		return err
	})
	if err != nil {
		return err
	}
	return web.Render(w, r, status, v.site.Name, section, sitePage(v))
}

// siteLine is what stands under a site's name.
func siteLine(s Site) string {
	line := "Site"
	if s.Location.Name != "" {
		line += " in " + s.Location.Name
	}
	return line + " · created " + s.CreatedAt.Format("2 January 2006")
}

// gettingReady reports whether a relay that just enrolled may soon serve what hosts
// are installed with. One that never will is not waited for long.
func gettingReady(relays []Relay, now time.Time) bool {
	soon := false
	for _, r := range relays {
		if r.Installs != "" {
			return false
		}
		soon = soon || now.Sub(r.CreatedAt) < readyWithin
	}
	return soon
}

func usesOf(t Token) string {
	if t.MaxUses == nil {
		return strconv.FormatInt(t.Uses, 10)
	}
	return strconv.FormatInt(t.Uses, 10) + " of " + strconv.FormatInt(*t.MaxUses, 10)
}

func relayTone(s RelayState) ui.Tone {
	switch s {
	case Online:
		return ui.Good
	case Silent:
		return ui.Warn
	case Revoked:
		return ui.Bad
	}
	return ui.Idle
}

func tokenTone(s TokenState) ui.Tone {
	switch s {
	case Active:
		return ui.Good
	case TokenRevoked:
		return ui.Bad
	}
	return ui.Idle
}
