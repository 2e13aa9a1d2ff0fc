package watch

import (
	"bytes"
	"context"
	"slices"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// viewTime bounds how long somebody waits for a picture.
const viewTime = 5 * time.Second

// View is the watch as people are shown it.
type View struct {
	Beat  time.Duration
	Rings []uplink.TopologyRing
	Edges []EdgeView
}

// EdgeView is an edge, and what each of its ends says of the other. The relay is
// the zero id.
type EdgeView struct {
	ID    uint32
	Level string
	Ends  [2]EndView
}

// EndView is one end.
type EndView struct {
	Host    tenancy.HostID
	Name    string
	Adopted bool // it has the edge as it is now
	Says    wire.EdgeState
	Said    time.Time
	Late    uint8 // of its last 16 beats
	Lost    uint64
}

// View asks the owner.
func (w *Watch) View() (View, error) {
	ctx, cancel := context.WithTimeout(context.Background(), viewTime)
	defer cancel()
	return ask(ctx, w, func(time.Time) View { return w.view() })
}

// Rings are those of all levels; none while the watch does not answer.
func (w *Watch) Rings() []uplink.TopologyRing {
	v, err := w.View()
	if err != nil {
		w.Log.Warn("looking at the rings", "error", err)
	}
	return v.Rings
}

func (w *Watch) view() View {
	v := View{Beat: w.pulse.every, Rings: []uplink.TopologyRing{}, Edges: make([]EdgeView, 0, len(w.edges.byID))}
	for _, r := range w.rings.Rings() {
		shown := uplink.TopologyRing{Level: levelNames[r.Level], Name: r.Name, Members: make([]tenancy.HostID, len(r.Members))}
		for i, id := range r.Members {
			shown.Members[i] = w.shownID(id)
		}
		v.Rings = append(v.Rings, shown)
	}
	for _, e := range w.edges.byID {
		shown := EdgeView{ID: e.id}
		for i, id := range e.pair {
			said := e.ends[i]
			shown.Ends[i] = EndView{
				Host: w.shownID(id), Name: w.nameOf(id), Adopted: !said.adopted.IsZero(), Says: said.state, Said: said.said, Late: said.late, Lost: said.lost,
			}
			for _, n := range w.neighbours(id) {
				if n.ID == e.other(id) {
					shown.Level = levelNames[n.Level]
				}
			}
		}
		v.Edges = append(v.Edges, shown)
	}
	slices.SortFunc(v.Edges, func(a, b EdgeView) int {
		for i := range a.Ends {
			if by := bytes.Compare(a.Ends[i].Host.UUID[:], b.Ends[i].Host.UUID[:]); by != 0 {
				return by
			}
		}
		return 0
	})
	return v
}

var levelNames = map[ring.Level]string{ring.Switch: "switch", ring.Zone: "zone", ring.Site: "site", ring.Direct: "direct"}

func (w *Watch) shownID(id ring.ID) tenancy.HostID {
	if id == w.self {
		return tenancy.HostID{}
	}
	return hostID(id)
}

func (w *Watch) nameOf(id ring.ID) string {
	if h := w.hosts[id]; h != nil {
		return h.name
	}
	return "the relay"
}
