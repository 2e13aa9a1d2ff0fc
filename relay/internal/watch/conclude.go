package watch

import (
	"context"
	"maps"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/topology"
	"assimilation/relay/internal/verdict"
	"assimilation/uplink"
)

// maxNamed is how many hosts of a verdict a log line or a notice names.
const maxNamed = 256

// effect does what a step of the engine leads to.
func (w *Watch) effect(now time.Time, e verdict.Effects) {
	for _, id := range e.Gone {
		if h := w.hosts[id]; h != nil {
			h.gone = true
			w.leave(now, h)
		}
	}
	for _, id := range e.Back {
		if h := w.hosts[id]; h != nil {
			h.gone = false
			w.join(now, h)
			w.enqueue(id)
		}
	}
	for _, id := range e.Ask {
		w.ask(id)
		w.listen(id)
	}
	for i := range e.Verdicts {
		w.conclude(now, e.Verdicts[i])
	}
	for _, id := range e.FalseAccusations {
		w.refuted(now, id)
	}
}

// Conclusion is a verdict as people of the site may know it.
type Conclusion struct {
	Verdict uplink.VerdictBody
	Opened  bool     // this is the first word about it
	Hosts   []string // names of those that it is about, the first of them
	Place   string   // the domain or zone; "": none
}

// conclude makes a verdict durable, and then known.
func (w *Watch) conclude(now time.Time, v uplink.VerdictBody) {
	id := verdictID(v.ID)
	c := Conclusion{Verdict: v, Opened: !w.open[id], Hosts: make([]string, 0, min(len(v.Hosts), maxNamed))}
	for _, id := range v.Hosts {
		w.listen(ring.ID(id.UUID))
		if h := w.hosts[ring.ID(id.UUID)]; h != nil && len(c.Hosts) < maxNamed {
			c.Hosts = append(c.Hosts, h.name)
		}
	}
	if v.Domain != nil {
		c.Place = w.names[[16]byte(v.Domain)]
	}
	if v.Over == 0 {
		w.open[id] = true
	} else {
		delete(w.open, id)
	}
	w.Metrics.concluded(c)
	w.record(c)
	w.saving.save(&v, now, func() {
		if state, ok := v.Kind.HostState(); ok && v.Over == 0 {
			w.table.Believe(v.Hosts, state, now)
		}
		if w.Notify != nil {
			w.Notify(c)
		}
	})
}

// record logs a conclusion.
func (w *Watch) record(c Conclusion) {
	v := c.Verdict
	fields := []any{"kind", v.Kind, "hosts", c.Hosts, "count", max(int(v.Count), len(v.Hosts)), "confidence", v.Confidence}
	if c.Place != "" {
		fields = append(fields, "place", c.Place)
	}
	if v.Since > 0 {
		fields = append(fields, "last_sign", time.UnixMilli(v.Since).UTC(), "after", time.Duration(v.At-v.Since)*time.Millisecond)
	}
	switch {
	case v.Over != 0 && !c.Opened:
		w.Log.Info("verdict is over", append(fields, "ending", v.Ending)...)
	case c.Opened:
		w.Log.Warn("verdict", fields...)
	default:
		w.Log.Info("verdict has grown", fields...)
	}
}

// opaque is the engine's name of a domain or zone. It is remembered both ways.
func (w *Watch) opaque(domain string) []byte {
	name, ok := w.opaques[domain]
	if !ok {
		if len(w.names) >= spareNames+4*len(w.hosts) {
			w.forgetPlaces()
		}
		name = topology.Opaque(w.Secret, domain)
		w.opaques[domain], w.names[name] = name, domain
	}
	return name[:]
}

// spareNames is how many names of domains and zones are remembered beside those
// in which hosts stand.
const spareNames = 1024

// forgetPlaces forgets domains and zones in which no host stands: a probe may say
// that it stands somewhere else every second.
func (w *Watch) forgetPlaces() {
	clear(w.opaques)
	clear(w.names)
	for _, h := range w.hosts {
		w.opaque(h.place.Domain)
		w.opaque(h.place.Zone)
	}
}

// Places are the names of domains and zones by the opaque ones, which verdicts
// have.
func (w *Watch) Places() (map[[16]byte]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), viewTime)
	defer cancel()
	return ask(ctx, w, func(time.Time) map[[16]byte]string { return maps.Clone(w.names) })
}
