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
	// maxAge is longer than any edge lives, in milliseconds.
	maxAge = 10 * 365 * 24 * 3600 * 1000
	// findingLife is how long a finding stands after its newest reason.
	findingLife = time.Hour
)

// check names something that was said too early to count.
type check struct {
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
	w.countDropped(now, h, r)
	for _, said := range r.Edges {
		e := w.edges.byID[said.ID]
		if e == nil || e.pair[e.index(h.id)] != h.id {
			continue // ended meanwhile; or not its own
		}
		was := *e.end(h.id)
		turned := was.turned
		if said.State != was.state {
			turned = now
		}
		*e.end(h.id) = end{
			adopted: was.adopted, state: said.State, turned: turned, accused: was.accused, age: time.Duration(min(said.Age, maxAge)) * time.Millisecond, said: now,
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
			w.lookLater(check{e.id, by}, now.Add(w.pulse.patience*missedAfter/2))
		}
	}
}

// recheck looks again at what was said too early, and returns when to do so next.
func (w *Watch) recheck(now time.Time) (next time.Time) {
	for c, at := range w.checks {
		if at.After(now) {
			if next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		delete(w.checks, c)
		if e := w.edges.byID[c.edge]; e != nil {
			w.say(now, e, c.by)
		}
	}
	return next
}

// lookLater has what an end says looked at again, once, however often it says so.
func (w *Watch) lookLater(c check, at time.Time) {
	if before, waits := w.checks[c]; !waits || at.Before(before) {
		w.checks[c] = at
	}
}

// countDropped makes a finding of heartbeats that somebody forges or replays.
func (w *Watch) countDropped(now time.Time, h *host, r *wire.Report) {
	grew := reported{r.Forged, r.Replayed}
	if grew.forged > h.reported.forged {
		w.Metrics.beatsDropped("forged at a probe", r.Forged-h.reported.forged)
		w.raise(now, h, finding{kind: "heartbeat", instance: "forged"}, wire.BadSignature, "heartbeats come to this host that no neighbour has made")
	}
	if grew.replayed > h.reported.replayed {
		w.Metrics.beatsDropped("replayed at a probe", r.Replayed-h.reported.replayed)
		w.raise(now, h, finding{kind: "heartbeat", instance: "replayed"}, wire.Replayed, "heartbeats come to this host that came before")
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
	w.raise(now, h, finding{kind: "neighbour-report"}, wire.Malformed,
		fmt.Sprintf("it says again and again that neighbours are silent which answer the relay: a lossy network, or it lies (%d times within %v)", refutedOften, refutedTime))
}

// finding names one about a host.
type finding struct {
	host           ring.ID
	kind, instance string
}

// raise records a finding about a host, once while it stands: until an hour has
// passed without a reason for it.
func (w *Watch) raise(now time.Time, h *host, f finding, reason wire.Reason, detail string) {
	f.host = h.id
	_, stands := w.findings[f]
	w.findings[f] = now
	if stands {
		return
	}
	w.note(h.name, store.Problem{Host: hostID(h.id), Source: store.ByWatch, Kind: f.kind, Instance: f.instance, Reason: reason, Detail: detail}, now)
	w.clearLater(h.name, f, findingLife)
}

func (w *Watch) clearLater(name string, f finding, d time.Duration) {
	time.AfterFunc(d, func() {
		w.post(func(now time.Time) {
			if left := w.findings[f].Add(findingLife).Sub(now); left > 0 {
				w.clearLater(name, f, left)
				return
			}
			delete(w.findings, f)
			w.note(name, store.Problem{Host: hostID(f.host), Source: store.ByWatch, Kind: f.kind, Instance: f.instance}, now)
		})
	})
}

// note writes that a problem stands, or without a detail that it stands no more.
func (w *Watch) note(name string, p store.Problem, now time.Time) {
	w.saving.submit(func(tx *store.Tx) error {
		if p.Detail == "" {
			return tx.Clear(p, name, now.UnixMilli())
		}
		return tx.Raise(p, name, now.UnixMilli())
	}, func(err error) {
		if err != nil {
			w.Log.Error("recording a finding about a host", "host", name, "kind", p.Kind, "error", err)
		}
	})
}
