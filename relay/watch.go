package relay

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"assimilation/relay/internal/notify"
	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/status"
	"assimilation/relay/internal/topology"
	"assimilation/relay/internal/watch"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// surveyor lets the map of places know what the sessions learn.
type surveyor struct{ places *topology.Map }

// Observe is for the sessions' table.
func (s surveyor) Observe(e sessions.Event) {
	switch e := e.(type) {
	case sessions.Known:
		s.places.Host(e.Host)
	case sessions.Greeted:
		s.places.Host(e.Host)
	case sessions.FactPut:
		s.places.FactPut(e.Host, e.Fact.Kind, e.Fact.Body)
	case sessions.FactGone:
		s.places.FactGone(e.Host, e.Kind)
	case sessions.Retired:
		s.places.Gone(e.Host)
	}
}

// notification is a conclusion as people at the site are told it.
func notification(c watch.Conclusion) notify.Notification {
	v := c.Verdict
	n := notify.Notification{
		ID: verdictID(v.ID), Event: notify.Changed, Kind: string(v.Kind), Hosts: c.Hosts, Count: max(int(v.Count), len(v.Hosts)),
		Since: instant(v.Since), At: instant(v.At), Over: instant(v.Over), Confidence: int(v.Confidence), Summary: summary(c),
	}
	switch {
	case c.Opened:
		n.Event = notify.Opened
	case v.Over != 0:
		n.Event = notify.Over
	}
	if v.Kind == uplink.ZoneDown {
		n.Zone = c.Place
	} else {
		n.Domain = c.Place
	}
	return n
}

// summary is a conclusion in a sentence.
func summary(c watch.Conclusion) string {
	v := c.Verdict
	count := max(int(v.Count), len(v.Hosts))
	text := string(v.Kind)
	switch {
	case v.Kind == uplink.SwitchDown || v.Kind == uplink.ZoneDown:
		text = fmt.Sprintf("%s: %s, with %d hosts", v.Kind, c.Place, count)
	case v.Kind == uplink.LinkDown && len(c.Hosts) == 2:
		text = fmt.Sprintf("%s: %s and %s do not hear each other", v.Kind, c.Hosts[0], c.Hosts[1])
	case len(c.Hosts) > 0:
		text = fmt.Sprintf("%s: %s", v.Kind, c.Hosts[0])
		if count > 1 {
			text += fmt.Sprintf(" and %d more", count-1)
		}
	}
	if v.Over != 0 && !v.Kind.Momentary() {
		text += fmt.Sprintf(" (over: %s)", v.Ending)
	}
	return text
}

// instant is a time of a record; 0 is none.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// shownVerdicts is how many verdicts the status tells of.
const shownVerdicts = 1000

// theRelay is what the zero host id stands for.
const theRelay = "the relay"

// Verdicts is for the status pages.
func (r *Relay) Verdicts() ([]status.Verdict, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	verdicts, err := r.store.Verdicts(ctx, shownVerdicts)
	if err != nil {
		return nil, err
	}
	hosts, err := r.store.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	places := r.placeNames()
	names := make(map[tenancy.HostID]string, len(hosts)+1)
	names[tenancy.HostID{}] = theRelay
	for _, h := range hosts {
		names[h.ID] = h.Name
	}
	name := func(id tenancy.HostID) string {
		if name, ok := names[id]; ok {
			return name
		}
		return id.String() // retired
	}
	shown := make([]status.Verdict, len(verdicts))
	for i, v := range verdicts {
		shown[i] = status.Verdict{
			ID: verdictID(v.ID), Kind: v.Kind, Count: int(v.Count), Domain: hex.EncodeToString(v.Domain), LastSign: instant(v.Since),
			At: instant(v.At), Over: instant(v.Over), Ending: v.Ending, Cause: verdictID(v.Cause), Confidence: int(v.Confidence),
		}
		if v.Domain != nil {
			shown[i].Place = places[[16]byte(v.Domain)]
		}
		for _, id := range v.Hosts {
			shown[i].Hosts = append(shown[i].Hosts, status.VerdictHost{Host: id, Name: name(id)})
		}
		for _, e := range v.Evidence {
			line := status.Evidence{What: evidenceWords[e.Kind], At: instant(e.At), By: name(e.By), Age: e.Age, Count: e.Count}
			if !e.About.IsZero() && e.About != e.By {
				line.About = name(e.About)
			}
			shown[i].Evidence = append(shown[i].Evidence, line)
		}
	}
	return shown, nil
}

// placeNames are those of domains and zones; none where probes are not served:
// verdicts are worth showing without.
func (r *Relay) placeNames() map[[16]byte]string {
	r.mu.Lock()
	watching := r.parts.watch
	r.mu.Unlock()
	if watching == nil {
		return nil
	}
	places, err := watching.Places()
	if err != nil {
		r.log.Debug("naming the places of verdicts", "error", err)
	}
	return places
}

// verdictID is a verdict's identifier as the service writes it, so that people who
// are told it here find it there; "" where there is none.
func verdictID(b []byte) string {
	var id tenancy.VerdictID
	if copy(id.UUID[:], b); id.IsZero() {
		return ""
	}
	return id.String()
}

// evidenceWords follow who noticed, and come before whom it is about.
var evidenceWords = map[uplink.EvidenceKind]string{
	uplink.MissedBeats:    "heard no heartbeat of",
	uplink.PortRefused:    "was told by the kernel that nobody listens on",
	uplink.StillHears:     "hears",
	uplink.NoEcho:         "got no answer to its echoes from",
	uplink.EchoAnswered:   "got an answer to its echo from",
	uplink.NoConnect:      "got no answer from the kernel of",
	uplink.ConnectTaken:   "was answered by the kernel of",
	uplink.ConnectRefused: "was refused by the kernel of",
	uplink.OrderUnheard:   "got no acknowledgement of an order from",
	uplink.SaidGoodbye:    "said goodbye",
	uplink.WitnessLate:    "was late itself, and missed",
	uplink.HeardAgain:     "heard again from",
	uplink.NoCarrier:      "has no carrier on its own link",
	uplink.RelayDeaf:      "hears none of its neighbours",
	uplink.KeyElsewhere:   "saw in two places the key of",
	uplink.ClockJumped:    "was told of a jump of the clock of",
	uplink.WitnessGone:    "is not heard itself, so it is no witness of",
}

// Rings is for the status pages.
func (r *Relay) Rings() (status.Rings, error) {
	r.mu.Lock()
	watching := r.parts.watch
	r.mu.Unlock()
	shown := status.Rings{Rings: []uplink.TopologyRing{}, Edges: []status.Edge{}}
	if watching == nil {
		return shown, nil // not serving yet
	}
	view, err := watching.View()
	if err != nil {
		return shown, err
	}
	shown.Beat, shown.Rings = view.Beat.Milliseconds(), view.Rings
	for _, e := range view.Edges {
		edge := status.Edge{Level: e.Level}
		for i, end := range e.Ends {
			edge.Ends[i] = status.Watcher{
				Host: end.Host, Name: end.Name, Adopted: end.Adopted, Says: end.Says.String(), Said: end.Said, Late: int(end.Late), Lost: end.Lost,
			}
		}
		shown.Edges = append(shown.Edges, edge)
	}
	return shown, nil
}
