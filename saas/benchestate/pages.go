package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"assimilation/loadtest/estate"
)

// pageGoal is for a page of 1000 hosts, in milliseconds.
const pageGoal = 100

// askPages times pages and the API from request to the last byte, over loopback
// within one process.
func (p *place) askPages(ctx context.Context, t *timer, e *estate.Estate) error {
	random := rand.New(rand.NewPCG(7, 8))
	host := func() estate.Host { return e.Host(random.IntN(e.Hosts(0))) }
	ago := func(d time.Duration) string {
		return url.QueryEscape(time.Now().Add(-d).UTC().Format(time.RFC3339Nano))
	}
	const day = 24 * time.Hour
	for _, page := range []struct {
		name string
		goal float64
		path func() string
	}{
		{"API: a page of 1000 hosts", pageGoal, func() string { return "/v1/hosts?limit=1000" }},
		{"API: a page of 1000 hosts of a site", pageGoal, func() string { return "/v1/hosts?limit=1000&site=site-01" }},
		{"API: hosts by a part of their name", pageGoal, func() string { return "/v1/hosts?name=" + host().Name[8:] }},
		{"API: a host", 0, func() string { return "/v1/hosts/" + host().ID.String() }},
		{"API: facts of a host as of a week ago", 0, func() string {
			return "/v1/hosts/" + host().ID.String() + "/facts?as_of=" + ago((days-1)*day)
		}},
		{"API: elements of a host as of a week ago", 0, func() string {
			return "/v1/hosts/" + host().ID.String() + "/elements?as_of=" + ago((days-1)*day)
		}},
		{"API: changes of a day, a page of 1000", 100, func() string { return "/v1/changes?limit=1000&since=" + ago(day) }},
		{"API: changes near a host in a week", 0, func() string {
			return "/v1/changes?since=" + ago(7*day) + "&near=" + host().ID.String()
		}},
		{"API: difference over a day, a page of 1000", 0, func() string {
			return "/v1/diff?limit=1000&from=" + ago(2*day) + "&to=" + ago(day)
		}},
		{"API: difference of a host over a week", 0, func() string {
			return "/v1/diff?from=" + ago((days-1)*day) + "&host=" + host().ID.String()
		}},
		{"page: overview", pageGoal, func() string { return "/" }},
		{"page: hosts", pageGoal, func() string { return "/hosts" }},
		{"page: 1000 hosts", pageGoal, func() string { return "/hosts?limit=1000" }},
		{"page: sites and relays", pageGoal, func() string { return "/sites" }},
		{"page: packages", 0, func() string { return "/packages" }},
		{"page: a host", pageGoal, func() string { return "/hosts/" + host().ID.String() }},
		{"page: a host's services", pageGoal, func() string { return "/hosts/" + host().ID.String() + "/services" }},
		{"page: a host's packages", pageGoal, func() string { return "/hosts/" + host().ID.String() + "/packages" }},
		{"page: a host's dependencies", pageGoal, func() string { return "/hosts/" + host().ID.String() + "/dependencies" }},
		{"page: changes", pageGoal, func() string { return "/changes" }},
		{"page: search for a host's name", pageGoal, func() string { return "/search?q=" + host().Name }},
		{"page: search for an address", pageGoal, func() string { return "/search?q=" + host().IP() }},
		{"page: search for a package", pageGoal, func() string { return "/search?q=openssl" }},
		{"page: map of a host", 0, func() string { return "/map?host=" + host().ID.String() }},
		{"page: map of a site", 0, func() string { return fmt.Sprintf("/map?site=site-%02d", 1+random.IntN(len(e.Sites()))) }},
	} {
		if err := t.time(ctx, "pages", page.name, page.goal, func(int) (int, error) {
			body, err := p.get(ctx, page.path(), "")
			return len(body), err
		}); err != nil {
			return err
		}
	}
	return nil
}
