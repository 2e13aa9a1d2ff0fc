package agent

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/google/uuid"

	"assimilation/probe/internal/announce"
	"assimilation/probe/internal/beat"
	"assimilation/probe/internal/udp"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/session"
)

// Status is what a running agent says of itself.
type Status struct {
	Host         string            `json:"host,omitempty"` // id; empty: not enrolled
	Site         string            `json:"site,omitempty"` // id, from the relay's certificate
	Relay        string            `json:"relay,omitempty"`
	Port         uint16            `json:"port"`
	Settled      bool              `json:"session"`
	SessionSince time.Time         `json:"session_since,omitzero"`
	LastHeard    time.Time         `json:"last_heard,omitzero"`
	EchoRTT      time.Duration     `json:"echo_rtt_ns,omitempty"`
	BytesOut     uint64            `json:"session_bytes_sent,omitempty"` // UDP payload
	BytesIn      uint64            `json:"session_bytes_received,omitempty"`
	FactsHeld    int               `json:"facts_held"`
	FactsSent    int               `json:"facts_sent"` // durable at the relay, as they are now
	Pending      int               `json:"messages_pending"`
	Problems     map[string]string `json:"problems,omitempty"` // kind or kind/instance: detail
	Stuck        string            `json:"stuck,omitempty"`    // why there is no session
	Dropped      map[string]uint64 `json:"dropped,omitempty"`  // datagrams by reason
	StandIn      uint16            `json:"tcp_port,omitempty"` // where the kernel answers for the probe
	Neighbours   []Neighbour       `json:"neighbours,omitempty"`
	LateBeats    int               `json:"late_beats"` // of the last 16
}

// Neighbour is one that this probe exchanges heartbeats with.
type Neighbour struct {
	Peer    string        `json:"peer"` // id of a host, or of the relay
	Relay   bool          `json:"relay,omitempty"`
	Address string        `json:"address"`
	State   string        `json:"state"`
	Age     time.Duration `json:"last_beat_age_ns"` // new: since the edge began
	Sent    uint64        `json:"beats_sent"`
	Lost    uint64        `json:"beats_lost"`
	Late    uint8         `json:"peer_late_beats"` // of its last 16, it says
}

// Status asks the loop. It fails when ctx ends first.
func (a *Agent) Status(ctx context.Context) (Status, error) {
	reply := make(chan Status, 1)
	select {
	case a.asks <- reply:
		return <-reply, nil
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
}

func (a *Agent) status() Status {
	view := a.Ledger.View()
	s := Status{
		Port:      a.socket.Port(),
		FactsHeld: len(view.Facts),
		Problems:  map[string]string{},
		Dropped:   maps.Clone(a.drops),
	}
	s.StandIn, s.LateBeats = a.socket.StandIn(), a.heart.Late()
	for _, n := range a.heart.Neighbours(time.Now()) {
		s.Neighbours = append(s.Neighbours, Neighbour{
			Peer: uuid.UUID(n.Peer).String(), Relay: n.Relay, Address: n.Address.String(), State: n.State.String(),
			Age: n.Age, Sent: n.Sent, Lost: n.Lost, Late: n.Health,
		})
	}
	for key, p := range view.Problems {
		name := key.Kind
		if key.Instance != "" {
			name += "/" + key.Instance
		}
		s.Problems[name] = p.Detail
	}
	if pin := a.Home.Pin(); pin != nil {
		s.Host = pin.Host.String()
	}
	if a.stuck != wire.Accepted {
		s.Stuck = a.stuck.String()
	}
	if a.relay != nil {
		s.Relay = a.relay.address.String()
		s.Site = uuid.UUID(a.relay.certificate.Site).String()
	}
	if a.talk != nil {
		r := a.talk.Report()
		s.Settled, s.SessionSince = r.Settled, a.since
		s.LastHeard, s.EchoRTT = r.LastHeard, r.RTT
		s.FactsSent, s.Pending = r.Sent, r.Pending
		s.BytesOut, s.BytesIn = r.BytesSent, r.BytesReceived
	}
	return s
}

var errStray = errors.New("datagram belongs to nothing that is under way")

// dropStray counts a datagram that nobody waits for.
func (a *Agent) dropStray(d udp.Datagram) {
	if _, err := wire.PacketType(d.Data); err != nil {
		a.drop(err)
		return
	}
	a.drop(errStray)
}

// drop counts a datagram that changed nothing, by why.
func (a *Agent) drop(err error) { a.drops[label(err)]++ }

var labels = []struct {
	err  error
	text string
}{
	{errStray, "stray"},
	{errUnsendable, "not sent"},
	{errCallForged, "forged call"},
	{errCallTooSoon, "calls too fast"},
	{beat.ErrStray, "heartbeat of no edge"},
	{beat.ErrForged, "forged heartbeat"},
	{beat.ErrReplayed, "replayed heartbeat"},
	{announce.ErrNonce, "unasked reply"},
	{announce.ErrNoSite, "no site to check against"},
	{handshake.ErrMalformed, "malformed"},
	{handshake.ErrMAC, "not for this key"},
	{handshake.ErrAuth, "not authentic"},
	{session.ErrMalformed, "malformed"},
	{session.ErrReplay, "replayed"},
	{session.ErrAuth, "not authentic"},
}

// label is one of a bounded set of words.
func label(err error) string {
	for _, l := range labels {
		if errors.Is(err, l.err) {
			return l.text
		}
	}
	if _, ok := errors.AsType[*announce.WrongSite](err); ok {
		return wire.WrongSite.String()
	}
	return wire.ReasonOf(err).String()
}
