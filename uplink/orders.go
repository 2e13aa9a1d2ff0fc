package uplink

import (
	"assimilation/tenancy"
	"assimilation/wire"
)

// EnrolRequest is the sealed body of a relay's first request.
type EnrolRequest struct {
	TokenID  string `cbor:"1,keyasint"`
	Secret   []byte `cbor:"2,keyasint"`
	Name     string `cbor:"3,keyasint"`
	Version  string `cbor:"4,keyasint"`
	NoiseKey []byte `cbor:"5,keyasint"` // X25519 public key: what the site certifies
	SignKey  []byte `cbor:"6,keyasint"` // Ed25519 public key: signs batches
	SealKey  []byte `cbor:"7,keyasint"` // HPKE public key: orders are sealed to it
	// Nonce comes back in the answer: only the holder of the tenant's key can
	// have read it, which is how the relay knows whom it talks to.
	Nonce []byte `cbor:"8,keyasint"`
	Time  int64  `cbor:"9,keyasint"`
}

// EnrolAnswer is the sealed answer. Reason other than Accepted: nothing else
// is set but Nonce and Detail.
type EnrolAnswer struct {
	Reason      wire.Reason      `cbor:"1,keyasint"`
	Detail      string           `cbor:"2,keyasint,omitempty"`
	Nonce       []byte           `cbor:"3,keyasint"`
	Tenant      tenancy.TenantID `cbor:"4,keyasint,omitzero"`
	Site        tenancy.SiteID   `cbor:"5,keyasint,omitzero"`
	Relay       tenancy.RelayID  `cbor:"6,keyasint,omitzero"`
	SiteKey     []byte           `cbor:"7,keyasint,omitempty"` // Ed25519: verifies certificates and orders
	Certificate []byte           `cbor:"8,keyasint,omitempty"` // wire.Certificate
	SiteName    string           `cbor:"9,keyasint,omitempty"`
}

// OrdersRequest asks for orders newer than Revision; the answer may wait for
// up to 25 s until there are any (long poll). It is also the relay's sign of
// life.
type OrdersRequest struct {
	Revision uint64 `cbor:"1,keyasint"`
	Version  string `cbor:"2,keyasint"` // the relay's program
	Epoch    uint64 `cbor:"3,keyasint"`
	Backlog  uint64 `cbor:"4,keyasint"` // records not yet acknowledged
	Hosts    uint64 `cbor:"5,keyasint"`
	Time     int64  `cbor:"6,keyasint"`
	Nonce    []byte `cbor:"7,keyasint"`
	// Wait is how long the service may hold the request, in milliseconds.
	Wait int64 `cbor:"8,keyasint,omitempty"`
	// Cluster is where other relays of the site reach this one, host:port;
	// Serves is where probes do. "": not told.
	Cluster string `cbor:"9,keyasint,omitempty"`
	Serves  string `cbor:"10,keyasint,omitempty"`
	// Programs is ProgramsHash of what the relay has been told it may hand out to
	// the site's hosts; nil: it hands out nothing, and is told of nothing.
	Programs []byte `cbor:"11,keyasint,omitempty"`
	// Installs is where hosts reach the relay's installer, host:port, and
	// InstallKey what its TLS key hashes to, see Program.
	Installs   string `cbor:"12,keyasint,omitempty"`
	InstallKey []byte `cbor:"13,keyasint,omitempty"`
	// Pending are probes that announce themselves and are no hosts of the site, the
	// latest first. Nothing of it is proved.
	Pending []Pending `cbor:"14,keyasint,omitempty"`
	// SiteKeys is the sequence of the newest wire.KeyStatement that the relay has
	// stored; 0: none.
	SiteKeys uint64 `cbor:"15,keyasint,omitempty"`
}

// Orders is the whole of what the service wants of a relay: a snapshot, so
// that applying it twice or skipping one changes nothing.
type Orders struct {
	Revision    uint64           `cbor:"1,keyasint"`
	Nonce       []byte           `cbor:"2,keyasint"` // of the request
	SiteName    string           `cbor:"3,keyasint"`
	Certificate []byte           `cbor:"4,keyasint"` // renewed in time
	Tokens      []TokenOrder     `cbor:"5,keyasint"`
	Retired     []tenancy.HostID `cbor:"6,keyasint,omitempty"` // keys of these hosts are refused
	Revoked     bool             `cbor:"7,keyasint,omitempty"` // this relay: stop
	Time        int64            `cbor:"8,keyasint"`
	NotModified bool             `cbor:"9,keyasint,omitempty"` // nothing newer than the request's revision; other fields unset but Questions and Programs

	// SiteSecret is what the site's relays share, 32 bytes: they derive from it the
	// opaque names of domains and the key of their cluster.
	SiteSecret []byte       `cbor:"10,keyasint,omitempty"`
	Policy     Policy       `cbor:"11,keyasint,omitzero"`
	Relays     []RelayOrder `cbor:"12,keyasint,omitempty"` // of the site, this one too; not the revoked
	// Questions that people ask now and that only the relay can answer.
	Questions []Question `cbor:"13,keyasint,omitempty"`
	// Revocation is an encoded wire.Revocation for the site's probes; empty: no
	// relay of the site whose certificate would still be valid was revoked.
	Revocation []byte `cbor:"14,keyasint,omitempty"`
	// Programs is all that the relay may hand out, where that is not what the
	// request says it was told; set beside NotModified, too.
	Programs []Program `cbor:"15,keyasint,omitempty"`
	// TenantKey is the public seal key that the relay seals to from now on; empty:
	// the request was sealed to it already.
	TenantKey []byte `cbor:"16,keyasint,omitempty"`
	// SiteKeys is the newest encoded wire.KeyStatement of the site; empty: its key
	// was never replaced.
	SiteKeys []byte `cbor:"17,keyasint,omitempty"`
	// NextCertificate and NextRevocation are Certificate and Revocation by the key
	// that replaces the site's; empty: none does.
	NextCertificate []byte `cbor:"18,keyasint,omitempty"`
	NextRevocation  []byte `cbor:"19,keyasint,omitempty"`
}

// Residency says where the facts of class "topology" may be stored.
type Residency string

// The residencies.
const (
	SiteOnly  Residency = "site" // they stay in the relay; the default
	Replicate Residency = "replicate"
)

// Policy is what the tenant wants of a site.
type Policy struct {
	Residency Residency `cbor:"1,keyasint,omitempty"` // "": SiteOnly
	Beat      int64     `cbor:"2,keyasint,omitempty"` // of heartbeats, milliseconds; 0: 1000
	// Places give hosts a place by their label "name=value" or by the switch's
	// chassis, where neither LLDP-MED nor the probe does.
	Places map[string]string `cbor:"3,keyasint,omitempty"`
	// Decided is when Residency was last decided, Unix ms; 0: never. A relay that
	// has not acted on this decision yet tells anew what now may leave: the service
	// forgot it, even if the relay never heard of the decision between.
	Decided int64 `cbor:"4,keyasint,omitempty"`
}

// RelayOrder is one relay of the site, as the others have to know it.
type RelayOrder struct {
	ID          tenancy.RelayID `cbor:"1,keyasint"`
	Name        string          `cbor:"2,keyasint"`
	SignKey     []byte          `cbor:"3,keyasint"` // Ed25519: who a TLS connection of the cluster must prove to be
	Certificate []byte          `cbor:"4,keyasint"` // wire.Certificate
	Cluster     string          `cbor:"5,keyasint,omitempty"`
	Serves      string          `cbor:"6,keyasint,omitempty"`
	// NextCertificate is Certificate by the key that replaces the site's; empty: none does.
	NextCertificate []byte `cbor:"7,keyasint,omitempty"`
}

// Question is something that a person asks the site, answered once and stored
// nowhere.
type Question struct {
	ID   []byte `cbor:"1,keyasint"` // 16 bytes
	Kind string `cbor:"2,keyasint"` // "topology"
	At   int64  `cbor:"3,keyasint"` // Unix ms; one of more than a minute ago is dead
}

// Answer answers a question.
type Answer struct {
	Question []byte      `cbor:"1,keyasint"`
	Reason   wire.Reason `cbor:"2,keyasint"` // other than Accepted: there is no Body
	Detail   string      `cbor:"3,keyasint,omitempty"`
	Body     []byte      `cbor:"4,keyasint,omitempty"` // JSON, see Topology
	Time     int64       `cbor:"5,keyasint"`
}

// TokenOrder is one enrolment token as the relay needs it. Tokens of other
// sites of the tenant are listed by ID and Hash with WrongSite set, so that
// their refusal can say what is wrong; so are expired and revoked ones for 90
// days.
type TokenOrder struct {
	ID      string `cbor:"1,keyasint"`
	Hash    []byte `cbor:"2,keyasint"`           // SHA-256 of the secret
	Expires int64  `cbor:"3,keyasint,omitempty"` // Unix ms; 0 never
	Revoked bool   `cbor:"4,keyasint,omitempty"`
	// Allowance is how many enrolments this relay may still count by itself, in
	// total since the token exists (it subtracts what it has counted). -1: no limit.
	Allowance int64             `cbor:"5,keyasint"`
	Labels    map[string]string `cbor:"6,keyasint,omitempty"`
	WrongSite bool              `cbor:"7,keyasint,omitempty"`
	// UsedUp: the token's uses are all spent or leased elsewhere.
	UsedUp bool `cbor:"8,keyasint,omitempty"`
}

// Ack answers a batch.
type Ack struct {
	Reason wire.Reason `cbor:"1,keyasint"` // Accepted, or why the batch was refused
	Detail string      `cbor:"2,keyasint,omitempty"`
	// Epoch, Position and Chain are where the service stands: all records up to
	// Position are durable. A relay that disagrees rewinds to Position+1.
	Epoch    uint64 `cbor:"3,keyasint"`
	Position uint64 `cbor:"4,keyasint"`
	Chain    []byte `cbor:"5,keyasint,omitempty"`
	Nonce    []byte `cbor:"6,keyasint"` // of the batch header
	// Need names bodies that the batch refers to and that the service does not
	// hold, or not for this relay: nothing of the batch was taken, the relay sends
	// them inline.
	Need [][]byte `cbor:"7,keyasint,omitempty"`
}
