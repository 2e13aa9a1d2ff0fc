package changes

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

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
		items, next, err = s.list(ctx, tx, f, near)
		return err
	})
	return items, next, err
}

func (s *Service) list(ctx context.Context, tx pgx.Tx, f Filter, near *vicinity) ([]Change, string, error) {
	rows, next, err := readVersions(ctx, tx, f, near)
	if err != nil {
		return nil, "", err
	}
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(discovery.MaxBody))
	if err != nil {
		return nil, "", err
	}
	defer unpack.Close()
	items := make([]Change, len(rows))
	for i, row := range rows {
		items[i] = row.change()
		if err := s.describe(&items[i], row, unpack); err != nil {
			// What one host sent must not hide what all others did.
			items[i].Summary = string(items[i].Op) + "; cannot be compared"
		}
	}
	return items, next, nil
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
	differences, err := discovery.Diff(s.kind(v.Kind), before, after)
	if err != nil {
		return err
	}
	count := map[discovery.Op]int{}
	for _, d := range differences {
		if d.Op == discovery.More {
			n, _ := strconv.Atoi(d.New) // written by Diff as a number
			c.More += n
			continue
		}
		count[d.Op]++
		if len(c.Details) == maxDetails {
			c.More++
			continue
		}
		c.Details = append(c.Details, Detail{d.Op, words(v.Kind, d), d.String()})
	}
	c.Summary = summary(*c, count)
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

// summary is the one difference there is, or how many of each sort.
func summary(c Change, count map[discovery.Op]int) string {
	if len(c.Details) == 1 && c.More == 0 {
		return c.Details[0].Text
	}
	var parts []string
	for _, op := range []discovery.Op{discovery.Added, discovery.Removed, discovery.Changed} {
		if n := count[op]; n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+string(op))
		}
	}
	if len(parts) == 0 {
		return string(c.Op)
	}
	if c.Op != Changed {
		return string(c.Op) + ": " + strings.Join(parts, ", ")
	}
	return strings.Join(parts, ", ")
}

// kind finds a kind by name; of one that is not known, lists are compared as
// wholes.
func (s *Service) kind(name string) discovery.Kind {
	for _, k := range s.Kinds {
		if k.Name == name {
			return k
		}
	}
	return discovery.Kind{Name: name}
}
