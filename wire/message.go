package wire

// Message is one reliable message inside a session. Its encoding is one byte
// of MessageType, one byte of flags (bit 0: the rest is one zstd frame), then
// CBOR (RFC 8949, core deterministic) with integer keys. Unknown keys are
// ignored, so a new optional field needs no new version.
type Message interface{ messageType() MessageType }

// MessageType numbers the messages. Only append; never reuse a number.
type MessageType uint8

// The messages: probe to relay below 64, relay to probe from 64.
const (
	TypeEnrol    MessageType = 1
	TypeHello    MessageType = 2
	TypeDigests  MessageType = 3
	TypeFactPut  MessageType = 4
	TypeFactGone MessageType = 5
	TypeProblem  MessageType = 6
	TypeGoodbye  MessageType = 7

	TypeEnrolled  MessageType = 64
	TypeConfigure MessageType = 65
	TypeNeed      MessageType = 66
)

// Enrol is the first message of a probe that no relay of the site knows yet.
// It is idempotent by the probe's static key, which the handshake proved:
// repeating it, with the same or another token, spends no second use.
type Enrol struct {
	TokenID  string `cbor:"1,keyasint"` // tenancy.TokenIDLength characters
	Secret   []byte `cbor:"2,keyasint"` // tenancy.SecretSize bytes
	HostName string `cbor:"3,keyasint"` // as uname -n says, at most 255 bytes
	// MachineID is SHA-256("assimilation machine" 0x00 site key, machine id):
	// tells a reinstalled probe from a clone without telling who it is.
	MachineID []byte `cbor:"4,keyasint,omitempty"`
	Time      int64  `cbor:"5,keyasint"` // wall clock, Unix ms, for the refusal "clock skew"
}

// Hello is the first message of every session of an enrolled probe.
type Hello struct {
	AgentVersion string            `cbor:"1,keyasint"`
	HostName     string            `cbor:"2,keyasint"`
	OS           string            `cbor:"3,keyasint"` // GOOS
	Arch         string            `cbor:"4,keyasint"` // GOARCH
	Boot         uint64            `cbor:"5,keyasint"` // random, drawn at the probe's start
	Time         int64             `cbor:"6,keyasint"` // Unix ms
	Labels       map[string]string `cbor:"7,keyasint,omitempty"`
}

// Digests lists everything the probe holds now. What the relay holds and the
// list lacks is gone, for the kinds in Kinds only: a kind whose first
// collection has not ended yet is not in it.
type Digests struct {
	Kinds []string `cbor:"1,keyasint"`
	Facts []Digest `cbor:"2,keyasint"`
}

// Digest names one fact by content.
type Digest struct {
	Kind     string `cbor:"1,keyasint"`
	Instance string `cbor:"2,keyasint"`
	Hash     []byte `cbor:"3,keyasint"` // 32 bytes
	Version  uint8  `cbor:"4,keyasint"` // schema version
}

// FactPut uploads one fact. Its acknowledgement says: durable at the relay.
type FactPut struct {
	Digest
	Body []byte `cbor:"5,keyasint"` // canonical JSON
	// ObservedAt is the probe's wall clock, Unix ms.
	ObservedAt int64 `cbor:"6,keyasint"`
}

// FactGone says that an instance no longer exists.
type FactGone struct {
	Kind       string `cbor:"1,keyasint"`
	Instance   string `cbor:"2,keyasint"`
	ObservedAt int64  `cbor:"3,keyasint"`
}

// Problem reports a fact that the probe itself had to refuse, or that is
// incomplete for want of a right. An empty Detail withdraws it.
type Problem struct {
	Kind     string `cbor:"1,keyasint"`
	Instance string `cbor:"2,keyasint"`
	Reason   Reason `cbor:"3,keyasint"`
	Detail   string `cbor:"4,keyasint"` // at most 1024 bytes
}

// Goodbye says that the probe is being stopped in good order.
type Goodbye struct {
	Cause string `cbor:"1,keyasint"` // "signal", "host shutdown", "uninstall"
	Time  int64  `cbor:"2,keyasint"`
}

// Enrolled answers Enrol. A refusal is not a message: the relay refuses the
// Enrol message itself, with a Reason.
type Enrolled struct {
	Host []byte `cbor:"1,keyasint"` // 16 bytes
}

// Configure answers Hello.
type Configure struct {
	Host         []byte   `cbor:"1,keyasint"` // 16 bytes
	Term         uint64   `cbor:"2,keyasint"`
	EchoInterval int64    `cbor:"3,keyasint"`           // milliseconds; 30,000
	Kinds        []string `cbor:"4,keyasint,omitempty"` // kinds to run; empty: all
	Time         int64    `cbor:"5,keyasint"`
}

// Need answers Digests and names the facts whose bodies the relay lacks.
type Need struct {
	Facts []Digest `cbor:"1,keyasint"`
}

func (*Enrol) messageType() MessageType     { return TypeEnrol }
func (*Hello) messageType() MessageType     { return TypeHello }
func (*Digests) messageType() MessageType   { return TypeDigests }
func (*FactPut) messageType() MessageType   { return TypeFactPut }
func (*FactGone) messageType() MessageType  { return TypeFactGone }
func (*Problem) messageType() MessageType   { return TypeProblem }
func (*Goodbye) messageType() MessageType   { return TypeGoodbye }
func (*Enrolled) messageType() MessageType  { return TypeEnrolled }
func (*Configure) messageType() MessageType { return TypeConfigure }
func (*Need) messageType() MessageType      { return TypeNeed }
