package verdict

import (
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/uplink"
)

// Restore takes over the verdicts that were open when the relay stopped, before
// the first Step. It returns the hosts that are out of the rings by them.
func (e *Engine) Restore(open []uplink.VerdictBody) (gone []ring.ID) {
	for _, body := range open {
		if len(body.ID) != 16 || body.Over != 0 {
			continue
		}
		v := &verdict{body: body, at: time.UnixMilli(body.At)}
		e.verdicts[v.id()] = v
		_, down := body.Kind.HostState()
		switch {
		case down:
			for _, id := range body.Hosts {
				e.homeless[ring.ID(id.UUID)] = v
				v.absent++
				gone = append(gone, ring.ID(id.UUID))
			}
		case body.Kind == uplink.SiteCutOff:
			e.cut = v
		case body.Kind == uplink.LinkDown && len(body.Hosts) == 2:
			e.links[pairOf(ring.ID(body.Hosts[0].UUID), ring.ID(body.Hosts[1].UUID))] = v
		case body.Kind == uplink.Clone && len(body.Hosts) == 1:
			e.clones[ring.ID(body.Hosts[0].UUID)] = v
		}
	}
	return gone
}

// adopt makes a host known that a restored verdict names.
func (e *Engine) adopt(now time.Time, h *host, v *verdict) {
	h.out = true
	v.absent--
	if h.doubt != nil {
		e.dismiss(h.doubt)
	}
	e.attach(h, v)
	switch {
	case v.shutDown():
	case v.group():
		if v.alarm.index == 0 {
			e.setTend(v)
			v.pause = e.beats(5)
			e.alarms.set(&v.alarm, now.Add(v.pause))
		}
	default:
		e.poll(now, e.doubted(now, h))
	}
}

// endAbsent ends what stands about hosts that are no more: they were retired
// while the relay was down.
func (e *Engine) endAbsent(now time.Time) {
	for id, v := range e.homeless {
		delete(e.homeless, id)
		if v.absent--; v.absent == 0 && v.left() == 0 && v.body.Over == 0 {
			e.end(now, v, endedRetired)
		}
	}
}
