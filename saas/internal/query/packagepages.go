package query

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
)

// packagesView is what is installed, by name.
type packagesView struct {
	search string
	asOf   time.Time
	items  []map[string]any
	next   string
	csv    string
	wrong  string
}

// packageSection is the entry of the navigation that is marked.
const packageSection = "/packages"

func (s *Service) showPackages(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	given := r.URL.Query()
	v := packagesView{search: strings.TrimSpace(web.Text(given.Get("q"))), csv: web.CSVOf(r)}
	asOf, offset, err := placeOf(given)
	if err != nil {
		return err
	}
	v.asOf = asOf
	parameters := url.Values{}
	if v.search != "" {
		parameters.Set("regex", "(?i)"+regexp.QuoteMeta(v.search))
	}
	if web.WantsCSV(r) {
		answer, err := s.Ask(r.Context(), a.Tenant, "packages", parameters, Page{Limit: maxRows, AsOf: asOf})
		if err != nil {
			return userProblem(err)
		}
		sendAnswer(w, "packages", *s.named("packages"), answer)
		return nil
	}
	answer, err := s.Ask(r.Context(), a.Tenant, "packages", parameters, Page{Offset: offset, Limit: perPage, AsOf: asOf})
	status := 0
	switch wrong := userProblem(err).(type) {
	case nil:
	case huma.StatusError:
		v.wrong, status = wrong.Error(), wrong.GetStatus()
	default:
		return err
	}
	v.items = answer.Items
	if answer.NextCursor != "" {
		given.Set("cursor", answer.NextCursor)
		v.next = "/packages?" + given.Encode()
	}
	return web.Render(w, r, status, "Packages", packageSection, packagesPage(v))
}

// placeOf reads where in time and in the list an address is.
func placeOf(given url.Values) (asOf time.Time, offset int, err error) {
	if asOf, err = web.Moment(given.Get("as_of")); err != nil {
		return asOf, 0, err
	}
	if text := given.Get("cursor"); text != "" {
		if offset, err = strconv.Atoi(text); err != nil || offset < 0 || offset > maxOffset {
			return asOf, 0, web.BadCursor()
		}
	}
	return asOf, offset, nil
}

// userProblem is an error as people are told it, where they can do something about
// it.
func userProblem(err error) error {
	if bad, ok := errors.AsType[*BadParameter](err); ok {
		return huma.Error422UnprocessableEntity("the " + bad.Error())
	}
	return err
}

// packageView is one package: where it is installed, and in which version.
type packageView struct {
	name     string
	asOf     time.Time
	versions []versionRow
	items    []map[string]any
	next     string
	csv      string
}

// versionRow is a version, and how many of the hosts on the page have it.
type versionRow struct {
	version, arch, manager string
	hosts                  int
}

func (s *Service) showPackage(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	given := r.URL.Query()
	v := packageView{name: web.Text(r.PathValue("name"))}
	asOf, offset, err := placeOf(given)
	if err != nil {
		return err
	}
	v.asOf = asOf
	parameters := url.Values{"name": {v.name}}
	answer, err := s.Ask(r.Context(), a.Tenant, "packagename", parameters, Page{Limit: maxRows, AsOf: asOf})
	if err != nil {
		return userProblem(err)
	}
	if len(answer.Items) == 0 && offset == 0 {
		return huma.Error404NotFound("no host has a package of this name")
	}
	v.versions = versionsOf(answer.Items)
	v.items = answer.Items[min(offset, len(answer.Items)):min(offset+perPage, len(answer.Items))]
	if offset+perPage < len(answer.Items) {
		given.Set("cursor", strconv.Itoa(offset+perPage))
		v.next = pathOfPackage(v.name) + "?" + given.Encode()
	}
	if !asOf.IsZero() {
		parameters.Set("as_of", asOf.UTC().Format(time.RFC3339))
	}
	v.csv = "/queries/packagename/csv?" + parameters.Encode()
	return web.Render(w, r, 0, v.name, packageSection, packagePage(v))
}

// versionsOf counts the hosts of each version, the most frequent first.
func versionsOf(items []map[string]any) (all []versionRow) {
	counts := map[versionRow]int{}
	for _, item := range items {
		counts[versionRow{version: cell(item["version"]), arch: cell(item["arch"]), manager: cell(item["manager"])}]++
	}
	for row, n := range counts {
		row.hosts = n
		all = append(all, row)
	}
	slices.SortFunc(all, func(a, b versionRow) int {
		return cmp.Or(cmp.Compare(b.hosts, a.hosts), strings.Compare(a.version, b.version), strings.Compare(a.arch, b.arch), strings.Compare(a.manager, b.manager))
	})
	return all
}

func pathOfPackage(name string) string { return "/packages/" + url.PathEscape(name) }
