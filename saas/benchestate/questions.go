package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"time"

	"assimilation/loadtest/estate"
	"assimilation/saas/internal/query"
)

// ask times everything that people ask.
func (p *place) ask(ctx context.Context, o options, r *report, errs io.Writer) error {
	e, err := estate.New(o.hosts, o.seed)
	if err != nil {
		return err
	}
	t := &timer{samples: o.samples, patience: o.patience, only: o.only, errs: errs}
	for _, part := range []func(context.Context, *timer, *estate.Estate) error{p.askStatements, p.askQuestions, p.askPages} {
		if err := part(ctx, t, e); err != nil {
			return err
		}
	}
	r.Times = t.rows
	if r.Sizes, err = p.sizes(ctx); err != nil {
		return err
	}
	r.Backends, err = p.memory(ctx)
	return err
}

// goals of questions, in milliseconds, where there is one.
var goals = map[string]float64{"impact": 25, "findip": 2, "findmac": 2, "hostdependencies": 2, "hostipports": 2}

// heavy are questions of things that much depends on, beside the usual ones.
var heavy = []struct {
	name, title string
	parameters  func(estate.Host) url.Values
	of          string // role
}{
	{"impact", "impact, of a database", func(h estate.Host) url.Values { return url.Values{"entity": {"host:" + h.Name}} }, "db"},
	{"impact", "impact, of a log collector", func(h estate.Host) url.Values { return url.Values{"entity": {"host:" + h.Name}} }, "monitoring"},
	{"why", "why, 6 hops, a week", func(h estate.Host) url.Values {
		return url.Values{"host": {h.Name}, "since": {"7d"}, "hops": {"6"}}
	}, "web"},
}

// askQuestions times the named questions, now and as of a week ago, each with its
// transaction, up to a page of 1000 rows.
func (p *place) askQuestions(ctx context.Context, t *timer, e *estate.Estate) error {
	service, err := query.New(p.db)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(5, 6))
	ask := func(name string, parameters url.Values, asOf time.Time) (int, error) {
		answer, err := service.Ask(ctx, p.tenant, name, parameters, query.Page{Limit: pageRows, AsOf: asOf})
		return len(answer.Items), err
	}
	var list struct{ Items []query.Query }
	body, err := p.get(ctx, "/v1/queries", "")
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	if err != nil {
		return fmt.Errorf("listing the questions: %w", err)
	}
	for _, q := range list.Items {
		err := t.time(ctx, "questions", q.Name, goals[q.Name], func(int) (int, error) {
			return ask(q.Name, parameters(q, e, random), time.Time{})
		})
		if err != nil {
			return err
		}
	}
	for _, h := range heavy {
		err := t.time(ctx, "questions", h.title, goals[h.name], func(int) (int, error) {
			return ask(h.name, h.parameters(drawn(e, random, h.of)), time.Time{})
		})
		if err != nil {
			return err
		}
	}
	week := time.Now().Add(-(days - 1) * 24 * time.Hour)
	for _, q := range list.Items {
		if !q.LooksBack {
			continue
		}
		err := t.time(ctx, "questions as of a week ago", q.Name, 0, func(int) (int, error) { return ask(q.Name, parameters(q, e, random), week) })
		if err != nil {
			return err
		}
	}
	return nil
}

// pageRows is a page as the API gives it if asked for no other.
const pageRows = 1000

// parameters draws real values for a question's parameters.
func parameters(q query.Query, e *estate.Estate, random *rand.Rand) url.Values {
	values := url.Values{}
	h := e.Host(random.IntN(e.Hosts(0)))
	for _, p := range q.Parameters {
		switch {
		case p.Type == query.Host:
			values.Set(p.Name, h.ID.String())
		case p.Type == query.Entity:
			values.Set(p.Name, "host:"+h.Name)
		case p.Type == query.IP:
			values.Set(p.Name, h.IP())
		case p.Type == query.MAC:
			values.Set(p.Name, h.MAC())
		case p.Name == "port":
			values.Set(p.Name, fmt.Sprint([]int{22, 443, 8080, 5432, 6379, 9100}[random.IntN(6)]))
		case p.Name == "service":
			values.Set(p.Name, []string{"postgres", "nginx", "haproxy"}[random.IntN(3)])
		case p.Name == "regex":
			values.Set(p.Name, "^lib(perl|net)1[0-9]*-dev$")
		case p.Name == "prefix":
			values.Set(p.Name, "openss")
		case p.Name == "file":
			values.Set(p.Name, []string{"sshd", "lib1.so.2", "lib2.so.3"}[random.IntN(3)])
		case p.Name == "group":
			values.Set(p.Name, "sudo")
		case p.Name == "name", p.Name == "package":
			values.Set(p.Name, []string{"openssl", "sudo", "curl", "bash"}[random.IntN(4)])
		}
	}
	return values
}

// drawn is a random host of a role.
func drawn(e *estate.Estate, random *rand.Rand, role string) estate.Host {
	for {
		if h := e.Host(random.IntN(e.Hosts(0))); h.Role == role {
			return h
		}
	}
}
