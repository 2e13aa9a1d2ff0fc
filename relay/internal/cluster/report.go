package cluster

import (
	"cmp"
	"context"
	"slices"
	"time"

	"assimilation/tenancy"
)

// State is what a relay is to this one.
type State string

// The states.
const (
	Self    State = "this relay"
	Alive   State = "alive"
	Joining State = "joining" // neither heard nor missed for long enough
	Dead    State = "dead"
)

// Report is how the cluster stands.
type Report struct {
	Members []Member `json:"members"`
	// Degraded: there are other relays, and what probes are told is durable is on
	// one disk only.
	Degraded bool   `json:"degraded"`
	Buddy    string `json:"buddy,omitempty"` // name of the relay that has the copy
	Lag      uint64 `json:"lag"`             // records that it has not yet
	Copies   []Copy `json:"copies"`          // that are held here
}

// Member is a relay of the site.
type Member struct {
	ID      tenancy.RelayID `json:"id"`
	Name    string          `json:"name"`
	State   State           `json:"state"`
	Since   time.Time       `json:"since,omitzero"`
	Cluster string          `json:"cluster,omitempty"`
	Serves  string          `json:"serves,omitempty"`
	Problem string          `json:"problem,omitempty"`
}

// Copy is what is held of another relay's stream.
type Copy struct {
	Relay   tenancy.RelayID `json:"relay"`
	Name    string          `json:"name"`
	Epoch   uint64          `json:"epoch"`
	Acked   uint64          `json:"acked"`
	Last    uint64          `json:"last"`
	Records uint64          `json:"records"`
	Bytes   int64           `json:"bytes"`
}

// Report is safe for concurrent use.
func (c *Cluster) Report(ctx context.Context) (Report, error) {
	origins, err := c.Store.Origins(ctx)
	if err != nil {
		return Report{}, err
	}
	head := c.Store.Head()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := Report{Members: []Member{}, Copies: []Copy{}, Degraded: len(c.orders) > 1 && !c.copies.synced}
	for id, order := range c.orders {
		m := Member{ID: id, Name: order.Name, State: Self, Cluster: order.Cluster, Serves: order.Serves}
		if id != c.Self {
			m.State, m.Since, m.Problem = c.stateOf(id)
		}
		r.Members = append(r.Members, m)
	}
	slices.SortFunc(r.Members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	if buddy := c.copies.buddy; buddy != nil {
		r.Buddy = buddy.order.Name
		if r.Lag = head.Backlog(); buddy.copied.epoch == head.Epoch {
			r.Lag = head.Last - min(buddy.copied.last, head.Last)
		}
	}
	for _, o := range origins {
		r.Copies = append(r.Copies, Copy{
			Relay: o.Relay, Name: c.orders[o.Relay].Name, Epoch: o.Epoch, Acked: o.Acked, Last: o.Last, Records: o.Last - o.Acked, Bytes: o.Bytes,
		})
	}
	return r, nil
}

func (c *Cluster) stateOf(id tenancy.RelayID) (State, time.Time, string) {
	p := c.peers[id]
	switch {
	case p == nil:
		return Joining, time.Time{}, ""
	case p.dead:
		return Dead, p.since.UTC(), p.problem
	case !p.connected:
		return Joining, p.since.UTC(), p.problem
	}
	return Alive, p.since.UTC(), ""
}
