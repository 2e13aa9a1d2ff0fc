package webhooks

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"assimilation/saas/internal/outbound"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Bounds of settings.
const (
	maxTypes = 20
	maxURL   = 500
)

// State is what becomes of what happens.
type State string

// The states. Failed: turned off by the service, because nothing was taken.
const (
	On     State = "on"
	Off    State = "off"
	Failed State = "failed"
)

// Endpoint is an address that is called, without what signs.
type Endpoint struct {
	ID            tenancy.WebhookID
	Name          string
	URL           string
	Types         []string // none: all
	Site          *tenancy.SiteID
	State         State
	PreviousUntil *time.Time // the secret before this one signs along until then
	CreatedAt     time.Time
	EventID       int64 // its place in the events
	NextAt        time.Time
	Failures      int // tries since the last success
	FailingSince  *time.Time
	Problem       string // of the last try
	SentAt        *time.Time
	Sent          int64
}

// wants reports whether the endpoint is called for an event.
func (e Endpoint) wants(h Event) bool {
	if e.Site != nil && (h.Site == nil || *h.Site != *e.Site) {
		return false
	}
	return len(e.Types) == 0 || slices.ContainsFunc(e.Types, func(t string) bool { return h.Type == t || strings.HasPrefix(h.Type, t+".") })
}

// WebhookSettings are what a person says of an endpoint.
type WebhookSettings struct {
	Name  string   `json:"name" minLength:"1" maxLength:"100" example:"pager"`
	URL   string   `json:"url" minLength:"1" maxLength:"500" example:"https://hooks.example.org/assimilation" doc:"https; a public address"`
	Types []string `json:"types,omitempty" maxItems:"20" example:"[\"verdict\"]" doc:"types of events, or what is before their first dot: verdict, host, relay, refusal; none: all"`
	Site  string   `json:"site_id,omitempty" format:"uuid" maxLength:"36" doc:"only what happens at this site"`
	Off   bool     `json:"off,omitempty" doc:"call nobody for now; what happens meanwhile is told later, if it is not older than 7 days then"`
}

// typeName is a type of events, or its beginning.
var typeName = regexp.MustCompile(`^[a-z][a-z-]{0,30}(\.[a-z][a-z-]{0,30})?$`)

// check returns the endpoint of settings that are good.
func (s WebhookSettings) check(private bool) (e Endpoint, err error) {
	e = Endpoint{Name: strings.TrimSpace(web.Text(s.Name)), URL: strings.TrimSpace(s.URL), Types: []string{}, State: On}
	if s.Off {
		e.State = Off
	}
	if e.Name == "" || len([]rune(e.Name)) > 100 {
		return e, errors.New("name: has 1 to 100 characters")
	}
	if err := checkURL(e.URL, private); err != nil {
		return e, fmt.Errorf("url: %w", err)
	}
	if len(s.Types) > maxTypes {
		return e, fmt.Errorf("types: are more than %d", maxTypes)
	}
	for _, t := range s.Types {
		if !typeName.MatchString(t) {
			return e, fmt.Errorf("types: %.60q is no type of events", t)
		}
		e.Types = append(e.Types, t)
	}
	slices.Sort(e.Types)
	e.Types = slices.Compact(e.Types)
	if s.Site != "" {
		site, err := tenancy.ParseID[tenancy.SiteID](s.Site)
		if err != nil {
			return e, errors.New("site_id: is no id of a site")
		}
		e.Site = &site
	}
	return e, nil
}

// checkURL refuses at once what is refused again when it is dialled, where names
// are known, too.
func checkURL(text string, private bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxURL || u.Hostname() == "" || u.Opaque != "" || u.Fragment != "":
		return errors.New("is not https://host/path")
	case u.User != nil:
		return errors.New("holds a password, which everybody who reads settings would see; the signature says who calls")
	case u.Scheme != "https" && !(u.Scheme == "http" && private):
		return errors.New("begins with https://")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !private && !outbound.Public(ip) {
		return outbound.ErrNotPublic
	}
	return nil
}

// words are for the audit log.
func (e Endpoint) words() map[string]string {
	words := map[string]string{"name": e.Name, "url": e.URL, "types": strings.Join(e.Types, " "), "state": string(e.State)}
	if e.Site != nil {
		words["site"] = e.Site.String()
	}
	return words
}
