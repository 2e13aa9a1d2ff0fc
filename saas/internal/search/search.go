// Package search finds what a person has a name or a number of: hosts, sites,
// addresses, hardware addresses, services, containers and guests, units, packages,
// files and ports. Names of the
// graph are found by their beginning, which their indexes serve.
package search

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service is the feature. All fields are required.
type Service struct {
	DB *store.DB
}

// perKind is how many results of each kind are shown; more words in the
// question find the rest.
const perKind = 10

// Kind says what was found.
type Kind string

// The kinds, in the order in which they are shown.
const (
	Host    Kind = "host"
	Site    Kind = "site"
	Address Kind = "address"
	MAC     Kind = "mac"
	Port    Kind = "port"
	Program Kind = "service"
	Child   Kind = "child" // a container, guest or pod
	Unit    Kind = "unit"
	Package Kind = "package"
	File    Kind = "file"
)

// Result is one thing that was found.
type Result struct {
	Kind   Kind   `json:"kind" enum:"host,site,address,mac,port,service,child,unit,package,file"`
	Name   string `json:"name"`
	Detail string `json:"detail,omitempty"`
	Host   string `json:"host,omitempty" doc:"name of the host that it belongs to"`
	HostID string `json:"host_id,omitempty" format:"uuid"`
	Href   string `json:"href" doc:"the page that shows it"`
}

// Results is what was found, by kind.
type Results struct {
	Items []Result `json:"items" nullable:"false" doc:"at most 10 of each kind"`
	More  []Kind   `json:"more" nullable:"false" doc:"kinds of which there are more"`
}

// Find searches for a text of 1 to 100 characters.
func (s *Service) Find(ctx context.Context, tenant tenancy.TenantID, text string) (Results, error) {
	found := Results{Items: []Result{}, More: []Kind{}}
	text = strings.TrimSpace(text)
	if text == "" {
		return found, nil
	}
	err := s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		graph := store.Graph(tenant)
		for _, q := range questions(text) {
			rows, err := tx.Query(ctx, expand(graph, q.sql), append(q.values, perKind+1)...)
			if err != nil {
				return fmt.Errorf("searching for a %s: %w", q.kind, err)
			}
			items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Result, error) {
				r := Result{Kind: q.kind}
				err := row.Scan(&r.Name, &r.Detail, &r.Host, &r.HostID)
				r.Href = hrefOf(r)
				return r, err
			})
			if err != nil {
				return fmt.Errorf("searching for a %s: %w", q.kind, err)
			}
			found.add(q.kind, items)
		}
		return nil
	})
	return found, err
}

// add takes what is new of a kind, up to its limit.
func (r *Results) add(kind Kind, items []Result) {
	have := 0
	for _, i := range r.Items {
		if i.Kind == kind {
			have++
		}
	}
	for _, i := range items {
		switch {
		case slices.Contains(r.Items, i):
		case have == perKind:
			if !slices.Contains(r.More, kind) {
				r.More = append(r.More, kind)
			}
		default:
			r.Items = append(r.Items, i)
			have++
		}
	}
}

// question is the SQL for one kind; its last parameter is the limit.
type question struct {
	kind   Kind
	sql    string
	values []any
}

var (
	addressLike = regexp.MustCompile(`^[0-9a-fA-F.:]*[0-9a-fA-F][.:][0-9a-fA-F.:]*$|^[0-9]{1,3}$|^::`)
	macLike     = regexp.MustCompile(`^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{0,2})+$`)
	portLike    = regexp.MustCompile(`^:?([0-9]{1,5})(/(tcp|udp))?$`)
)

// questions are those that the text may be meant for.
func questions(text string) []question {
	all := []question{{Host, hostSQL, []any{text}}, {Site, siteSQL, []any{text}}}
	if addressLike.MatchString(text) {
		low, high := prefix(strings.ToLower(text))
		all = append(all, question{Address, addressSQL, []any{low, high}})
	}
	if macLike.MatchString(text) {
		low, high := prefix(strings.ReplaceAll(strings.ToLower(text), "-", ":"))
		all = append(all, question{MAC, macSQL, []any{low, high}})
	}
	if m := portLike.FindStringSubmatch(text); m != nil {
		if n, err := strconv.ParseUint(m[1], 10, 16); err == nil && n > 0 {
			all = append(all, question{Port, portSQL, []any{strconv.FormatUint(n, 10), m[3]}})
		}
	}
	spellings := []string{text}
	if lower := strings.ToLower(text); lower != text {
		spellings = append(spellings, lower)
	}
	for _, spelling := range spellings {
		low, high := prefix(spelling)
		all = append(all, question{Program, serviceSQL, []any{low, high}}, question{Package, packageSQL, []any{low, high}},
			question{Child, childSQL, []any{low, high}}, question{Unit, unitSQL, []any{low, high}}, question{File, fileSQL, []any{low, high}})
	}
	slices.SortStableFunc(all, func(a, b question) int { return slices.Index(order, a.kind) - slices.Index(order, b.kind) })
	return all
}

var order = []Kind{Host, Site, Address, MAC, Port, Program, Child, Unit, Package, File}

// prefix returns, as agtype, the bounds between which strings with this
// beginning lie; the database collates by code point. The lower one is less than the
// text itself: AGE's operator class for B-trees has > and >= in each other's place
// (pg_amop strategies 4 and 5, AGE 1.5), so that an index leaves out what equals it.
func prefix(text string) (low, high string) {
	const last = "\U0010FFFF" // no character, so nothing lies between low and text
	end, size := utf8.DecodeLastRuneInString(text)
	before := end - 1
	if !utf8.ValidRune(before) { // a surrogate
		before = '\uD7FF'
	}
	return quoted(text[:len(text)-size] + string(before) + last), quoted(text + last)
}

func quoted(text string) string {
	b, _ := json.Marshal(text) // a string always encodes
	return string(b)
}

// hrefOf is the page that shows a result.
func hrefOf(r Result) string {
	switch r.Kind {
	case Host:
		return "/hosts/" + r.HostID
	case Site:
		return "/sites/" + url.PathEscape(r.Name)
	case Package:
		return "/queries/packagename?" + url.Values{"name": {r.Name}}.Encode()
	case File:
		return "/queries/who-uses-file?" + url.Values{"file": {r.Name}}.Encode()
	case Child, Unit:
		return "/hosts/" + r.HostID + "/within"
	case Address:
		return "/queries/findip?" + url.Values{"ip": {r.Name}}.Encode()
	case MAC:
		return "/queries/findmac?" + url.Values{"mac": {r.Name}}.Encode()
	}
	return "/hosts/" + r.HostID + "/services"
}
