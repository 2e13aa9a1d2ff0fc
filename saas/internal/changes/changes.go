package changes

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"assimilation/discovery"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service is the feature. All fields are required.
type Service struct {
	DB    *store.DB
	Kinds []discovery.Kind // whose bodies can be compared by their items
	// Views are the choices of the list that people gave a name to.
	Views func(ctx context.Context, tx pgx.Tx, a web.Actor, at *url.URL) (templ.Component, error)
}

// maxDetails bounds the differences that are shown of one change.
const maxDetails = 50

// Change is one step of one fact.
type Change struct {
	SeenAt     time.Time       `json:"seen_at" doc:"by the relay's clock"`
	At         time.Time       `json:"at" doc:"when it took effect here"`
	ObservedAt *time.Time      `json:"observed_at,omitempty" doc:"by the host's clock"`
	Host       string          `json:"host" doc:"name"`
	HostID     tenancy.HostID  `json:"host_id" format:"uuid"`
	Kind       string          `json:"kind"`
	Instance   string          `json:"instance"`
	Op         Op              `json:"op" enum:"appeared,changed,gone"`
	Hash       string          `json:"hash,omitempty"`
	Previous   string          `json:"previous,omitempty" doc:"hash of the version before"`
	Version    int64           `json:"version"`
	RelayID    tenancy.RelayID `json:"relay_id" format:"uuid"`
	Epoch      int64           `json:"epoch"`
	Seq        int64           `json:"seq" doc:"of the record in the relay's stream"`
	Distance   *int32          `json:"distance,omitempty" doc:"hops from the host that near names"`
	Summary    string          `json:"summary"`
	Details    []Detail        `json:"details" nullable:"false" doc:"the first differences"`
	More       int             `json:"more,omitempty" doc:"differences that are not listed"`

	whole  string // what a fact that came or went is
	counts []discovery.Count
}

// Op says what became of a fact.
type Op string

// The steps.
const (
	Appeared Op = "appeared"
	Changed  Op = "changed"
	Gone     Op = "gone"
)

// Detail is one readable difference.
type Detail struct {
	Op   discovery.Op `json:"op" enum:"added,removed,changed"`
	Text string       `json:"text" doc:"as a person would say it"`
	Full string       `json:"full" doc:"with the path, and all that tells it from others"`
}

// Filter chooses changes. Empty fields choose all.
type Filter struct {
	Host         string // id or name
	Kind         string
	Since, Until time.Time // of At
	Cursor       string
	Limit        int
	// Near, an id or a name, and Hops choose the hosts that depend on it or that
	// it depends on, directly or through others; the nearest come first.
	Near string
	Hops int
}

// List returns a page of changes, newest first.
func (s *Service) List(ctx context.Context, a web.Actor, f Filter) (items []Change, next string, err error) {
	var versions []version
	var bodies map[string][]byte
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		var near *vicinity
		if f.Near != "" {
			v, err := around(ctx, tx, a.Tenant, f.Near, f.Hops)
			if err != nil {
				return err
			}
			near = &v
			if f.Since.IsZero() { // or it would sort all that ever happened there
				f.Since = time.Now().Add(-nearSince)
				if !f.Until.IsZero() {
					f.Since = f.Until.Add(-nearSince)
				}
			}
		}
		if versions, next, err = readVersions(ctx, tx, f, near); err == nil {
			bodies, err = readBodies(ctx, tx, versions)
		}
		return err
	})
	if err == nil {
		items, err = s.tell(versions, bodies)
	}
	return items, next, err
}

// list reads what a page shows, with the rest of it, in its transaction.
func (s *Service) list(ctx context.Context, tx pgx.Tx, f Filter) ([]Change, string, error) {
	rows, next, err := readVersions(ctx, tx, f, nil)
	if err != nil {
		return nil, "", err
	}
	items, err := s.compare(ctx, tx, rows)
	return items, next, err
}

// describe compares the two bodies. What cannot be compared, for its size or
// because the older body is no longer kept, is said to have changed, no more.
func (s *Service) describe(c *Change, v version, unpack *zstd.Decoder) error {
	c.Details = []Detail{}
	if (v.Hash != nil && v.Body == nil) || (v.Previous != nil && v.PreviousBody == nil) {
		c.Summary = string(c.Op) + "; too large to compare, or no longer kept"
		return nil
	}
	before, err := unpacked(unpack, v.PreviousBody)
	if err != nil {
		return err
	}
	after, err := unpacked(unpack, v.Body)
	if err != nil {
		return err
	}
	said, err := discovery.Say(s.kind(v.Kind), before, after)
	if err != nil {
		return err
	}
	shown := min(len(said.Told), maxDetails)
	for _, t := range said.Told[:shown] {
		c.Details = append(c.Details, Detail(t))
	}
	c.More = said.More + len(said.Told) - shown
	c.whole, c.counts = said.Whole, said.Counts
	c.Summary = summary(*c)
	return nil
}

func unpacked(d *zstd.Decoder, packed []byte) ([]byte, error) {
	if packed == nil {
		return nil, nil
	}
	body, err := d.DecodeAll(packed, nil)
	if err != nil {
		return nil, errors.New("unpacking a fact's body: " + err.Error())
	}
	return body, nil
}

// maxSummed bounds the differences that a summary names.
const maxSummed = 3

// summary says what is in a fact that came or went, else the first differences.
func summary(c Change) string {
	switch c.Op {
	case Appeared:
		return strings.TrimSuffix("first report: "+content(c.whole, c.counts), ": ")
	case Gone:
		return strings.TrimSuffix("no longer reported: "+content(c.whole, c.counts), ": ")
	}
	if len(c.Details) == 0 {
		return string(c.Op)
	}
	var parts []string
	for _, d := range c.Details[:min(maxSummed, len(c.Details))] {
		parts = append(parts, d.Text)
	}
	if more := len(c.Details) - len(parts) + c.More; more > 0 {
		parts = append(parts, "and "+strconv.Itoa(more)+" more")
	}
	return strings.Join(parts, "; ")
}

// content says what a fact is, or how much is in it.
func content(whole string, counts []discovery.Count) string {
	if whole != "" {
		return whole
	}
	return discovery.Sum(counts)
}

// kind finds a kind by name; of one that is not known, such as a script's,
// differences are told by their paths.
func (s *Service) kind(name string) discovery.Kind {
	for _, k := range s.Kinds {
		if k.Name == name {
			return k
		}
	}
	return discovery.Kind{Name: name}
}
