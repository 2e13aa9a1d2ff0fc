package saas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/accounts"
	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/members"
	"assimilation/saas/internal/sso"
	"assimilation/saas/internal/verdicts"
	"assimilation/saas/internal/web"
)

// Describe returns the description of the API, in OpenAPI 3.1, indented.
func Describe() ([]byte, error) {
	front, err := unused()
	if err != nil {
		return nil, err
	}
	description, err := front.Description()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, description, "", "  "); err != nil {
		return nil, fmt.Errorf("indenting the description: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Routes lists every route that a feature answers.
func Routes() ([]web.Route, error) {
	front, err := unused()
	if err != nil {
		return nil, err
	}
	return front.Routes(), nil
}

// unused is the front of a service that needs no database: features are
// registered, and none is used.
func unused() (*web.Web, error) {
	public, err := url.Parse("https://assimilation.example")
	if err != nil {
		return nil, fmt.Errorf("example address: %w", err)
	}
	log := slog.New(slog.DiscardHandler)
	metrics := prometheus.NewRegistry()
	hub := web.NewHub(nil, log)
	post, err := mail.New("", "", log, metrics)
	if err != nil {
		return nil, err
	}
	company := members.New(members.Config{Post: post, URL: public, Log: log})
	people := accounts.New(accounts.Config{Log: log, Post: post, URL: public, Joining: company})
	front := web.New(web.Config{Auth: people, Hub: hub, Log: log, Metrics: metrics, URL: public, Version: "1"})
	p := parts{config: Config{Downloads: "."}, public: public, log: log, hub: hub, metrics: metrics, post: post, people: people, company: company, entry: sso.New(sso.Config{URL: public}), verdicts: &verdicts.Service{}}
	if _, err := p.mount(front); err != nil {
		return nil, err
	}
	return front, nil
}
