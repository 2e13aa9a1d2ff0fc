package uplink

import (
	"slices"

	"assimilation/tenancy"
	"assimilation/wire"
)

// VerdictKind is what a relay concluded.
type VerdictKind string

// The verdicts.
const (
	HostDown          VerdictKind = "host down"
	ProbeDown         VerdictKind = "agent down"         // the host's kernel says that nobody listens
	ProbeUnresponsive VerdictKind = "agent unresponsive" // its kernel answers, the probe does not
	HostShutDown      VerdictKind = "shut down"          // it said goodbye
	LinkDown          VerdictKind = "link"               // two hosts do not hear each other, the relay hears both
	SwitchDown        VerdictKind = "switch down"        // and all that is behind it; a subnet where no switch is known
	ZoneDown          VerdictKind = "zone down"
	SiteCutOff        VerdictKind = "site cut off" // it is this relay that hears nobody
	Clone             VerdictKind = "clone"        // one key in two places
	ClockStepped      VerdictKind = "clock stepped"
)

// HostState is what the verdict makes of the hosts that it names; false: it
// leaves them as they are.
func (k VerdictKind) HostState() (State, bool) {
	switch k {
	case HostDown:
		return Down, true
	case ProbeDown:
		return AgentDown, true
	case ProbeUnresponsive:
		return Unresponsive, true
	case HostShutDown:
		return ShutDown, true
	case SwitchDown, ZoneDown:
		return Unreachable, true
	}
	return "", false
}

// Momentary verdicts tell of an instant: they are over when they are told.
func (k VerdictKind) Momentary() bool { return k == ClockStepped }

var verdictKinds = []VerdictKind{HostDown, ProbeDown, ProbeUnresponsive, HostShutDown, LinkDown, SwitchDown, ZoneDown, SiteCutOff, Clone, ClockStepped}

// VerdictBody is a verdict: told when it is reached, when it grows (more hosts,
// more evidence), and when it is over. The newest record of an ID holds. The
// states of its hosts change with the record that opens it; what makes them up
// again is their own HostState.
type VerdictBody struct {
	ID   []byte      `cbor:"1,keyasint"` // 16 bytes
	Kind VerdictKind `cbor:"2,keyasint"`
	// Hosts are those it is about, at most MaxVerdictHosts; of a link, its two ends.
	Hosts []tenancy.HostID `cbor:"3,keyasint,omitempty"`
	Count uint64           `cbor:"4,keyasint,omitempty"` // of hosts, where they are more than Hosts names
	// Domain is the switch's or zone's opaque name, 16 bytes: an HMAC by a secret
	// of the site.
	Domain []byte `cbor:"5,keyasint,omitempty"`
	Since  int64  `cbor:"6,keyasint"`           // Unix ms: the last sign of life
	At     int64  `cbor:"7,keyasint"`           // when it was reached
	Over   int64  `cbor:"8,keyasint,omitempty"` // when it ended
	Ending string `cbor:"9,keyasint,omitempty"` // "back", "retired", "part of another", "momentary"
	// Cause is the ID of the verdict that explains this one.
	Cause []byte `cbor:"10,keyasint,omitempty"`
	// Confidence is 1 to 100. Low: no switch is known, or a lone witness.
	Confidence uint8      `cbor:"11,keyasint"`
	Evidence   []Evidence `cbor:"12,keyasint,omitempty"`
}

// Bounds of a verdict.
const (
	MaxVerdictHosts = 8192
	MaxEvidence     = 64
)

// EvidenceKind says what was noticed. Only append.
type EvidenceKind uint8

// The evidence.
const (
	MissedBeats    EvidenceKind = 1  // By heard no beat of About for Age
	PortRefused    EvidenceKind = 2  // About's kernel said that nobody listens
	StillHears     EvidenceKind = 3  // By hears About
	NoEcho         EvidenceKind = 4  // About did not answer the relay's echo for Age
	EchoAnswered   EvidenceKind = 5  //
	NoConnect      EvidenceKind = 6  // About's kernel did not answer a TCP connect
	ConnectTaken   EvidenceKind = 7  // it did
	ConnectRefused EvidenceKind = 8  // it did, by refusing
	OrderUnheard   EvidenceKind = 9  // About did not acknowledge an order
	SaidGoodbye    EvidenceKind = 10 //
	WitnessLate    EvidenceKind = 11 // By was late itself and counts less
	HeardAgain     EvidenceKind = 12 //
	NoCarrier      EvidenceKind = 13 // the relay's own link is down
	RelayDeaf      EvidenceKind = 14 // the relay hears none of Count hosts
	KeyElsewhere   EvidenceKind = 15 // About's key speaks from two places
	ClockJumped    EvidenceKind = 16 // About's clock, by Age
	WitnessGone    EvidenceKind = 17 // By is not heard itself
)

// Evidence is one thing that speaks for a verdict. It names hosts, never a
// switch or a place.
type Evidence struct {
	Kind  EvidenceKind   `cbor:"1,keyasint"`
	At    int64          `cbor:"2,keyasint"`          // Unix ms, the relay's clock
	By    tenancy.HostID `cbor:"3,keyasint,omitzero"` // zero: the relay
	About tenancy.HostID `cbor:"4,keyasint,omitzero"`
	Age   int64          `cbor:"5,keyasint,omitempty"` // milliseconds
	Count uint64         `cbor:"6,keyasint,omitempty"`
}

func (v VerdictBody) check() error {
	switch {
	case len(v.ID) != 16 || v.Cause != nil && len(v.Cause) != 16 || v.Domain != nil && len(v.Domain) != 16:
		return malformed("id, cause or domain of a verdict is not 16 bytes")
	case !slices.Contains(verdictKinds, v.Kind):
		return refuse(wire.Unsupported, "unknown kind of verdict")
	case len(v.Hosts) > MaxVerdictHosts || len(v.Evidence) > MaxEvidence:
		return refuse(wire.TooLarge, "verdict with more than %d hosts or %d pieces of evidence", MaxVerdictHosts, MaxEvidence)
	case v.Count > maxNumber || v.Since < 0 || v.Since > maxTime || v.At <= 0 || v.At > maxTime || v.Over < 0 || v.Over > maxTime:
		return malformed("impossible count or time of a verdict")
	case !shortText(v.Ending, MaxWord) || (v.Ending != "") != (v.Over != 0):
		return malformed("verdict with an ending that is too long, or without its time")
	case v.Confidence < 1 || v.Confidence > 100:
		return malformed("confidence is not 1 to 100")
	case slices.ContainsFunc(v.Hosts, tenancy.HostID.IsZero):
		return malformed("verdict about a host without an id")
	}
	for _, e := range v.Evidence {
		if e.Kind == 0 || e.At <= 0 || e.At > maxTime || e.Age < -maxTime || e.Age > maxTime || e.Count > maxNumber {
			return malformed("impossible evidence")
		}
	}
	return nil
}
