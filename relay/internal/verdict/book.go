package verdict

import (
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// How a verdict ends.
const (
	endedBack    = "back"
	endedRetired = "retired"
	endedPart    = "part of another"
	endedAtOnce  = "momentary"
)

// finding is what a verdict is opened with.
type finding struct {
	kind       uplink.VerdictKind
	hosts      []*host
	since      time.Time
	confidence uint8
	evidence   []uplink.Evidence
	name       string // of the domain or zone
	cause      []byte
	assumed    bool // of groups: their domains are guesses
}

// verdict is one that is not over.
type verdict struct {
	body     uplink.VerdictBody
	hosts    []*host // those that are down by it: host.verdict is this one
	all      int     // that ever were
	absent   int     // restored, and not placed yet
	at       time.Time
	grown    bool      // since it was told
	toldAt   time.Time // when it grew last, and was told
	returned time.Time // when the first of several came back
	pause    time.Duration
	alarm    alarm
}

func (v *verdict) shutDown() bool { return v.body.Kind == uplink.HostShutDown }

// group: about a domain or a zone.
func (v *verdict) group() bool {
	return v.body.Kind == uplink.SwitchDown || v.body.Kind == uplink.ZoneDown
}

func (v *verdict) id() [16]byte { return [16]byte(v.body.ID) }

func hostID(id ring.ID) (h tenancy.HostID) {
	h.UUID = [16]byte(id)
	return h
}

// open tells a new verdict. Those about the life of hosts take them out of the
// rings.
func (e *Engine) open(now time.Time, f finding) *verdict {
	id := e.config.NewID()
	v := &verdict{at: now, body: uplink.VerdictBody{
		ID: id[:], Kind: f.kind, Cause: f.cause, Since: f.since.UnixMilli(), At: now.UnixMilli(), Confidence: f.confidence, Evidence: f.evidence,
	}}
	if f.name != "" {
		v.body.Domain = e.config.Name(f.name)
	}
	e.verdicts[id] = v
	if _, down := f.kind.HostState(); down {
		for _, h := range f.hosts {
			e.hold(v, h)
		}
	} else {
		for _, h := range f.hosts {
			v.body.Hosts = append(v.body.Hosts, hostID(h.ID))
		}
	}
	e.tell(v)
	e.explainLinks(now, v)
	return v
}

// hold makes a host one of those that a verdict is about.
func (e *Engine) hold(v *verdict, h *host) {
	e.attach(h, v)
	if d := h.doubt; d != nil {
		e.leaveEpisode(d)
	}
	if len(v.body.Hosts) < uplink.MaxVerdictHosts {
		v.body.Hosts = append(v.body.Hosts, hostID(h.ID))
	}
	if v.all > len(v.body.Hosts) {
		v.body.Count = uint64(v.all)
	}
	v.grown = true
	h.cause = nil
	if !h.out {
		h.out = true
		e.made.Gone = append(e.made.Gone, h.ID)
	}
	e.lookAround(h)
}

// explainLinks ends those of hosts that are down: that is why.
func (e *Engine) explainLinks(now time.Time, v *verdict) {
	for _, h := range v.hosts {
		for _, w := range h.watch {
			if l := e.links[pairOf(h.ID, w.by)]; l != nil {
				l.body.Cause = v.body.ID
				e.endLink(now, h.ID, w.by, endedPart)
			}
		}
	}
}

func (e *Engine) attach(h *host, v *verdict) {
	h.verdict = v
	v.hosts = append(v.hosts, h)
	v.all++
	h.domain.judged++
}

// detach takes a host from its verdict, whose hosts drop it when they are next
// gone through.
func (e *Engine) detach(h *host) {
	h.verdict = nil
	h.domain.judged--
}

// left counts the hosts that a verdict still holds, those that are not placed
// yet aside.
func (v *verdict) left() int {
	kept := v.hosts[:0]
	for _, h := range v.hosts {
		if h.verdict == v {
			kept = append(kept, h)
		}
	}
	clear(v.hosts[len(kept):])
	v.hosts = kept
	return len(kept)
}

func (e *Engine) tell(v *verdict) {
	v.grown = false
	e.made.Verdicts = append(e.made.Verdicts, v.body)
}

// end closes a verdict.
func (e *Engine) end(now time.Time, v *verdict, how string) {
	v.body.Over, v.body.Ending = now.UnixMilli(), how
	e.alarms.unset(&v.alarm)
	delete(e.verdicts, v.id())
	e.tell(v)
}

// back puts a host into the rings again.
func (e *Engine) back(h *host) {
	h.out = false
	e.made.Back = append(e.made.Back, h.ID)
}

// release ends what stands about a host.
func (e *Engine) release(now time.Time, h *host, how string) {
	v := h.verdict
	if v == nil {
		return
	}
	e.detach(h)
	if !v.group() || v.left()+v.absent == 0 {
		e.end(now, v, how)
	}
}

// returned: a host was heard that is down by a verdict.
func (e *Engine) returned(now time.Time, h *host) {
	v := h.verdict
	if !v.group() {
		v.add(uplink.Evidence{Kind: uplink.HeardAgain, At: now.UnixMilli(), About: hostID(h.ID)})
		e.release(now, h, endedBack)
	} else {
		e.detach(h)
		e.someReturned(now, v)
	}
	// What its watchers said of it belongs to the past.
	for i := range h.watch {
		if w := &h.watch[i]; w.accuses() {
			*w = watch{by: w.by, at: now}
		}
	}
	e.noteAccused(h)
	e.back(h)
}

// replace ends the verdict about one host for another.
func (e *Engine) replace(now time.Time, h *host, f finding) {
	old := h.verdict
	e.detach(h)
	v := e.open(now, f)
	old.body.Cause = v.body.ID
	e.end(now, old, endedPart)
}

func (e *Engine) left(now time.Time, h *host) {
	if h.verdict != nil && h.verdict.shutDown() {
		return
	}
	e.hear(now, h)
	e.made.Back = dropID(e.made.Back, h.ID)
	v := e.open(now, finding{
		kind: uplink.HostShutDown, hosts: []*host{h}, since: now, confidence: 100, name: h.Domain,
		evidence: []uplink.Evidence{{Kind: uplink.SaidGoodbye, At: now.UnixMilli(), By: hostID(h.ID), About: hostID(h.ID)}},
	})
	v.hosts = v.hosts[:1:1]
}

func dropID(ids []ring.ID, id ring.ID) []ring.ID {
	for i := range ids {
		if ids[i] == id {
			return append(ids[:i], ids[i+1:]...)
		}
	}
	return ids
}

func (e *Engine) greeted(now time.Time, h *host) {
	e.hear(now, h)
	if h.verdict != nil { // it had said goodbye
		e.returned(now, h)
	}
}

func (e *Engine) cloned(now time.Time, h *host, settled bool) {
	v := e.clones[h.ID]
	switch {
	case settled && v != nil:
		delete(e.clones, h.ID)
		e.end(now, v, endedBack)
	case !settled && v == nil:
		e.clones[h.ID] = e.open(now, finding{
			kind: uplink.Clone, hosts: []*host{h}, since: now, confidence: 95,
			evidence: []uplink.Evidence{{Kind: uplink.KeyElsewhere, At: now.UnixMilli(), About: hostID(h.ID)}},
		})
	}
}

func (e *Engine) stepped(now time.Time, h *host, by time.Duration) {
	v := e.open(now, finding{
		kind: uplink.ClockStepped, hosts: []*host{h}, since: now, confidence: 95,
		evidence: []uplink.Evidence{{Kind: uplink.ClockJumped, At: now.UnixMilli(), About: hostID(h.ID), Age: by.Milliseconds()}},
	})
	e.made.Verdicts = e.made.Verdicts[:len(e.made.Verdicts)-1] // one record tells both ends
	e.end(now, v, endedAtOnce)
}

func (v *verdict) add(e uplink.Evidence) {
	if len(v.body.Evidence) < uplink.MaxEvidence {
		v.body.Evidence = append(v.body.Evidence, e)
	}
}
