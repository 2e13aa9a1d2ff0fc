package verdicts

import (
	"context"
	"log/slog"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

// Service is the feature. All fields are required.
type Service struct {
	DB  *store.DB
	Log *slog.Logger
}

// The kinds of the service's own.
const (
	siteDark     = "site dark"     // none of its relays is heard
	relayStopped = "relay stopped" // none is heard, and the last said that it stops
)

// Verdict is one conclusion: open, or over.
type Verdict struct {
	ID         tenancy.VerdictID  `json:"id" format:"uuid"`
	Kind       string             `json:"kind" doc:"host down, agent down, agent unresponsive, shut down, link, switch down, zone down, site cut off, clone, clock stepped; of the service itself: site dark, relay stopped"`
	Title      string             `json:"title" doc:"what it says, in words"`
	Open       bool               `json:"open"`
	Site       string             `json:"site" doc:"name"`
	SiteID     tenancy.SiteID     `json:"site_id" format:"uuid"`
	Relay      string             `json:"relay" doc:"name of the relay that concluded it; empty: the service"`
	Hosts      []Host             `json:"hosts" nullable:"false" doc:"that it is about; a list shows the first of them"`
	Count      int64              `json:"count" doc:"of hosts"`
	Domain     string             `json:"domain,omitempty" doc:"opaque name of the switch or zone, hexadecimal"`
	Since      time.Time          `json:"since" doc:"the last sign of life, by the relay's clock"`
	At         time.Time          `json:"at" doc:"when it was reached"`
	OverAt     *time.Time         `json:"over_at,omitempty"`
	Ending     string             `json:"ending,omitempty" doc:"why it is over"`
	Cause      *tenancy.VerdictID `json:"cause,omitempty" format:"uuid" doc:"the verdict that explains this one"`
	Confidence int                `json:"confidence" doc:"1 to 100"`
}

// Host is a host by name.
type Host struct {
	ID   tenancy.HostID `json:"id" format:"uuid"`
	Name string         `json:"name"`
}

// Whole is a verdict with all that speaks for it.
type Whole struct {
	Verdict
	Meaning  string     `json:"meaning" doc:"what this kind of verdict says of hosts"`
	Evidence []Evidence `json:"evidence" nullable:"false" doc:"in the order of time"`
	CausedBy *Verdict   `json:"caused_by,omitempty" doc:"the verdict that explains this one"`
	Explains []Verdict  `json:"explains" nullable:"false" doc:"the verdicts that this one explains"`
}

// Evidence is one thing that was noticed.
type Evidence struct {
	Code    string    `json:"code" doc:"missed beats, port refused, still hears, no echo..."`
	At      time.Time `json:"at"`
	AfterMS int64     `json:"after_ms" doc:"since the last sign of life"`
	By      *Host     `json:"by,omitempty" doc:"who noticed it; absent: the relay"`
	About   *Host     `json:"about,omitempty"`
	AgeMS   int64     `json:"age_ms,omitempty" doc:"for how long, or by how much"`
	Count   int64     `json:"count,omitempty"`
	Text    string    `json:"text" doc:"in words"`
}

// Filter chooses verdicts. Empty fields choose all.
type Filter struct {
	Host   string // id or name
	Site   string // id or name
	Kind   string
	Open   bool // only those
	Since  time.Time
	Cursor string
	Limit  int
}

// Kinds lists the kinds of verdicts, those of relays first.
var kinds = []string{
	string(uplink.HostDown), string(uplink.ProbeDown), string(uplink.ProbeUnresponsive), string(uplink.HostShutDown), string(uplink.LinkDown),
	string(uplink.SwitchDown), string(uplink.ZoneDown), string(uplink.SiteCutOff), string(uplink.Clone), string(uplink.ClockStepped), siteDark, relayStopped,
}

// List returns a page of verdicts, newest first.
func (s *Service) List(ctx context.Context, a web.Actor, f Filter) (items []Verdict, next string, err error) {
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		items, next, err = list(ctx, tx, f)
		return err
	})
	return items, next, err
}

var errNone = huma.Error404NotFound("there is no such verdict")

// Get returns one verdict with its evidence.
func (s *Service) Get(ctx context.Context, a web.Actor, ref string) (v Whole, err error) {
	id, err := tenancy.ParseID[tenancy.VerdictID](ref)
	if err != nil {
		return Whole{}, errNone
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		v, err = whole(ctx, tx, id)
		return err
	})
	return v, err
}
