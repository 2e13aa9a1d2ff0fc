package uplink

import (
	"assimilation/tenancy"
	"assimilation/wire"
)

// ChangeType numbers the records of a relay's stream. Only append.
type ChangeType uint8

// The records.
const (
	FactPut    ChangeType = 1
	FactGone   ChangeType = 2
	HostState  ChangeType = 3 // enrolled, back, silent, shut down
	Refusal    ChangeType = 4 // something was turned away at the relay or the probe
	TokenUse   ChangeType = 5 // one use of a token, counted once
	RelayState ChangeType = 6 // the relay started, stopped, lost records
	// FactList names all facts of one kind that a host has: any other is gone, and
	// that the kind could not be read, or not in full, is over unless a Refusal
	// follows. It follows a restore, when nobody knows what was told meanwhile.
	FactList ChangeType = 7
	Verdict  ChangeType = 8 // what the relay concluded, or that it is over
)

// State of a host as its relay sees it.
type State string

// The states.
const (
	Up       State = "up"
	Silent   State = "silent"    // no answer to the 30 s echo
	ShutDown State = "shut down" // said goodbye
	// The rest come with a verdict, and go with the host's next word.
	Down         State = "down"
	AgentDown    State = "agent down"   // the host lives, its probe does not
	Unresponsive State = "unresponsive" // the probe is there and does nothing
	Unreachable  State = "unreachable"  // behind a switch or in a zone that is down
)

// Change is one record of the stream. Fields that a type does not use are
// absent.
type Change struct {
	Seq  uint64         `cbor:"1,keyasint"` // 1, 2, 3... within (relay, epoch)
	Type ChangeType     `cbor:"2,keyasint"`
	Host tenancy.HostID `cbor:"3,keyasint,omitzero"`
	// SeenAt is the relay's wall clock, ObservedAt the probe's; Unix ms.
	SeenAt     int64 `cbor:"4,keyasint"`
	ObservedAt int64 `cbor:"5,keyasint,omitempty"`

	// FactPut, FactGone, Refusal of a fact. (Term, Version) orders the facts of
	// a host over all relays of its site: the term rises when another relay
	// takes the host over, the version with every change of the host.
	Kind     string `cbor:"6,keyasint,omitempty"`
	Instance string `cbor:"7,keyasint,omitempty"`
	Schema   uint8  `cbor:"8,keyasint,omitempty"`
	Hash     []byte `cbor:"9,keyasint,omitempty"` // 32 bytes
	Term     uint64 `cbor:"10,keyasint,omitempty"`
	Version  uint64 `cbor:"11,keyasint,omitempty"`
	// Body is canonical JSON when Encoding is BodyInline.
	Body     []byte       `cbor:"12,keyasint,omitempty"`
	Encoding BodyEncoding `cbor:"13,keyasint,omitempty"`
	Base     []byte       `cbor:"14,keyasint,omitempty"` // hash of the earlier body that Body is encoded against

	HostState *HostStateBody `cbor:"15,keyasint,omitempty"`
	Refusal   *RefusalBody   `cbor:"16,keyasint,omitempty"`
	Token     string         `cbor:"17,keyasint,omitempty"` // TokenUse, Refusal: token id
	Relay     *RelayBody     `cbor:"18,keyasint,omitempty"`
	Instances []string       `cbor:"19,keyasint,omitempty"` // FactList: of Kind
	Verdict   *VerdictBody   `cbor:"20,keyasint,omitempty"`
}

// BodyEncoding says how a body is carried.
type BodyEncoding uint8

// The encodings, see Packer and Inline.
const (
	BodyInline BodyEncoding = 0
	BodyByBase BodyEncoding = 1 // zstd against the body named by Base
	BodyByHash BodyEncoding = 2 // absent: the receiver holds it, or it stands in the batch before
)

// HostStateBody says what became of a host.
type HostStateBody struct {
	State        State             `cbor:"1,keyasint"`
	Name         string            `cbor:"2,keyasint,omitempty"`
	AgentVersion string            `cbor:"3,keyasint,omitempty"`
	OS           string            `cbor:"4,keyasint,omitempty"`
	Arch         string            `cbor:"5,keyasint,omitempty"`
	Labels       map[string]string `cbor:"6,keyasint,omitempty"`
	ProbeKey     []byte            `cbor:"7,keyasint,omitempty"` // X25519, 32 bytes
	Enrolled     bool              `cbor:"8,keyasint,omitempty"` // first record of a new host
	Cause        string            `cbor:"9,keyasint,omitempty"`
	MachineID    []byte            `cbor:"10,keyasint,omitempty"`
	// SiteKeys is the sequence of the newest wire.KeyStatement that the host's probe
	// has stored; 0: none.
	SiteKeys uint64 `cbor:"11,keyasint,omitempty"`
}

// RefusalBody says what was refused, and why.
type RefusalBody struct {
	Subject string      `cbor:"1,keyasint"` // "fact", "enrolment", "datagram"
	Reason  wire.Reason `cbor:"2,keyasint"`
	Detail  string      `cbor:"3,keyasint,omitempty"`
	From    string      `cbor:"4,keyasint,omitempty"` // host name or address of who was refused
	Cleared bool        `cbor:"5,keyasint,omitempty"` // the problem is over
}

// RelayBody is the relay's word about itself.
type RelayBody struct {
	Event   string `cbor:"1,keyasint"` // "started", "stopped", "reconnected", "gap"
	Version string `cbor:"2,keyasint,omitempty"`
	Detail  string `cbor:"3,keyasint,omitempty"`
	Gap     *Gap   `cbor:"4,keyasint,omitempty"` // of the event "gap"
}

// Gap says what of the history may never be told. What is current comes whole
// all the same.
type Gap struct {
	Cause GapCause `cbor:"1,keyasint"`
	// Restored: the records From to To of Epoch; To is 0 where nobody knows it.
	Epoch uint64 `cbor:"2,keyasint,omitempty"`
	From  uint64 `cbor:"3,keyasint,omitempty"`
	To    uint64 `cbor:"4,keyasint,omitempty"`
	// Thinned: so many records, the oldest and the newest by the relay's clock.
	Records uint64 `cbor:"5,keyasint,omitempty"`
	Since   int64  `cbor:"6,keyasint,omitempty"`
	Until   int64  `cbor:"7,keyasint,omitempty"`
}

// GapCause says why there is a gap.
type GapCause string

// The causes.
const (
	Restored GapCause = "restored" // the relay's disk or the service's database came from a copy
	Thinned  GapCause = "thinned"  // the outbox was full
)
