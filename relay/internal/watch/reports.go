package watch

import (
	"fmt"
	"time"

	"assimilation/relay/internal/limit"
	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/store"
	"assimilation/relay/internal/verdict"
	"assimilation/wire"
)

const (
	// goodbyeTime is how long a goodbye may take to come after the last beat.
	goodbyeTime = 2 * time.Second
	// A host whose word about others was refuted so often within refutedTime is
	// worth a finding.
	refutedOften = 3
	refutedTime  = 5 * time.Minute
	maxLiars     = 4096
)

// check is something that was said too early to count.
type check struct {
	at   time.Time
	edge uint32
	by   ring.ID
}

// reported is what a host's newest report says it has dropped.
type reported struct{ forged, replayed uint64 }

// report takes in what a probe says of its neighbours.
func (w *Watch) report(now time.Time, h *host, r *wire.Report) {
	if r.Stepped != 0 {
		w.step(now, verdict.Stepped{About: h.id, By: time.Duration(r.Stepped) * time.Millisecond})
	}
	w.countDropped(h, r)
	for _, said := range r.Edges {
		e := w.edges.byID[said.ID]
		if e == nil || e.pair[e.index(h.id)] != h.id {
			continue // ended meanwhile; or not its own
		}
		*e.end(h.id) = end{
			adopted: e.end(h.id).adopted, state: said.State, age: time.Duration(said.Age) * time.Millisecond, said: now,
			late: r.Health, lost: said.Lost,
		}
		if e.end(h.id).adopted.IsZero() && !h.queued {
			w.adopted(now, e, h.id) // its acknowledgement was lost
		}
		w.say(now, e, h.id)
	}
}

// adopted notes that an end has an edge as it is now. What the ends have said of
// each other is looked at again when there was time for beats.
func (w *Watch) adopted(now time.Time, e *edge, id ring.ID) {
	e.end(id).adopted = now
	for _, by := range e.pair {
		if s := e.end(by).state; s != wire.EdgeNew && s != wire.EdgeHeard && s != 0 {
			w.checks = append(w.checks, check{now.Add(w.pulse.patience * missedAfter / 2), e.id, by})
		}
	}
}

// recheck looks again at what was said too early, and returns when to do so next.
func (w *Watch) recheck(now time.Time) (next time.Time) {
	due := w.checks
	w.checks = nil
	for _, c := range due {
		if c.at.After(now) {
			w.checks = append(w.checks, c)
			if next.IsZero() || c.at.Before(next) {
				next = c.at
			}
			continue
		}
		if e := w.edges.byID[c.edge]; e != nil {
			w.say(now, e, c.by)
		}
	}
	return next
}

// countDropped makes a finding of heartbeats that somebody forges or replays.
func (w *Watch) countDropped(h *host, r *wire.Report) {
	grew := reported{r.Forged, r.Replayed}
	if grew.forged > h.reported.forged {
		w.Metrics.beatsDropped("forged at a probe", r.Forged-h.reported.forged)
		w.raise(h, "heartbeat", wire.BadSignature, "heartbeats come to this host that no neighbour has made")
	}
	if grew.replayed > h.reported.replayed {
		w.Metrics.beatsDropped("replayed at a probe", r.Replayed-h.reported.replayed)
		w.raise(h, "heartbeat", wire.Replayed, "heartbeats come to this host that came before")
	}
	h.reported = grew
}

func newLiars() *limit.Table[ring.ID] {
	return limit.NewTable[ring.ID](refutedTime/refutedOften, refutedOften-1, maxLiars)
}

// refuted counts that a host's word about another was wrong.
func (w *Watch) refuted(now time.Time, id ring.ID) {
	w.Metrics.refuted.Inc()
	h := w.hosts[id]
	if h == nil || w.liars.Allow(id, now) {
		return
	}
	w.raise(h, "neighbour-report", wire.Malformed,
		fmt.Sprintf("it says again and again that neighbours are silent which answer the relay: a lossy network, or it lies (%d times within %v)", refutedOften, refutedTime))
}

// raise records a finding about a host, once while it stands.
func (w *Watch) raise(h *host, subject string, reason wire.Reason, detail string) {
	problem := store.Problem{Host: hostID(h.id), Source: store.ByWatch, Kind: subject, Reason: reason, Detail: detail}
	name := h.name
	w.saving.submit(func(tx *store.Tx) error { return tx.Raise(problem, name, time.Now().UnixMilli()) }, func(err error) {
		if err != nil {
			w.Log.Error("recording a finding about a host", "host", name, "reason", reason, "error", err)
		}
	})
}
