// Package discovery is what a probe finds out and how it is said: kinds, facts,
// their canonical form and content hash, and the two halves of every kind, the
// collector (on the host) and the projector (in the service).
//
// Each kind is one folder: <kind>.go holds the Kind and its body (imported by
// both halves), collect/ makes facts on the host, project/ turns them into
// graph elements. The packages collectors and projectors list them.
package discovery

import (
	"context"
	"errors"
	"time"

	"assimilation/cmdb"
)

// Limits of facts. They hold at the probe, the relay and the service.
const (
	MaxBody      = 8 << 20 // bytes of one canonical body
	MaxKindName  = 32      // bytes, [a-z][a-z0-9-]*
	MaxInstance  = 128     // bytes of valid UTF-8 without control characters
	MaxDepth     = 16      // nested arrays and objects
	MaxInstances = 1024    // per host and kind
)

// Capability is a right that a collector needs beyond those of any user.
type Capability string

// The Linux capabilities that kinds ask for (capabilities(7)).
const (
	NetRaw        Capability = "CAP_NET_RAW"
	NetAdmin      Capability = "CAP_NET_ADMIN"       // what the kernel's packet filter does
	SysPtrace     Capability = "CAP_SYS_PTRACE"      // other users' /proc/PID/fd and exe
	DACReadSearch Capability = "CAP_DAC_READ_SEARCH" // files that only root may read
)

// Kind describes one sort of fact.
type Kind struct {
	Name string
	// Version of the body's schema. A change that an old reader would
	// misunderstand gets a new number; a new optional field does not, unless it is
	// the kind's first of class topology: an older relay would let it leave.
	Version int
	// Public kinds may be shared across hosts of a tenant by content hash:
	// they say nothing about the host (package lists).
	Public bool
	Needs  []Capability
	// After names kinds whose change asks for a collection of this one: a new
	// listener for the checksums of its files.
	After []string
	// Interval between two collections when no event asks for one earlier.
	Interval time.Duration
	Timeout  time.Duration
	// Body is a zero value of the body's type; its struct tags say JSON names,
	// sensitivity classes ("class") and, for lists, the fields that tell two
	// items apart ("key"), see Describe.
	Body any
	// Words is how differences of this kind are told. Package kinds puts it beside
	// the rest: no probe tells differences, so it does not carry their words.
	Words []Words
	Doc   string
}

// Fact is one discovery result of one host, replaced as a whole. It names no
// host: who sent it is known from the session.
type Fact struct {
	Kind     string
	Instance string // "" where a kind has one instance per host
	Version  int    // schema version of Body
	Body     []byte // canonical JSON, see Canonical
	Hash     Hash
}

// Collector makes the facts of one kind on this host.
type Collector interface {
	Kind() Kind
	// Collect returns all instances as they are now. A collector that lacks a
	// right returns what it can and a *Degraded error beside it.
	Collect(ctx context.Context) ([]Fact, error)
}

// ErrNotYet is what a collector that only listens returns, without facts, as long
// as it did not listen for long enough to say what there is. It is no problem,
// and what is known from before stays known.
var ErrNotYet = errors.New("listening has only begun")

// ErrUnfinished is what a collector that keeps to a budget returns, without
// facts, until it has gone through everything: asked again, it goes on. What is
// known from before stays known.
var ErrUnfinished = errors.New("not everything was read yet")

// Follower is a Collector that is told what the kinds in its Kind.After found,
// each time that this is not what it was before. It may be told while it
// collects.
type Follower interface {
	Collector
	Follow(kind string, facts []Fact)
}

// Watcher is a Collector to which the kernel tells changes: Watch calls
// changed (which never blocks) after each event, until ctx ends. It returns
// early only with an error; the schedule then falls back to Kind.Interval.
type Watcher interface {
	Collector
	Watch(ctx context.Context, changed func()) error
}

// Degraded reports that facts are incomplete, because a right is missing or a
// limit was reached.
type Degraded struct {
	Needs Capability // "" when no right would help
	What  string     // what is missing
}

func (d *Degraded) Error() string {
	if d.Needs == "" {
		return "degraded: " + d.What
	}
	return "degraded: needs " + string(d.Needs) + ": " + d.What
}

// HostRef is what a projector knows about the host beside the fact.
type HostRef struct {
	ID        string     // host id, 36 characters
	HostRealm cmdb.Realm // of its private addresses
	SiteRealm cmdb.Realm // of its site's private address space
}

// Projector turns one fact into graph elements. It is pure: the same fact
// gives the same elements, in the same order. The body was checked to be
// canonical JSON of the kind's schema, but its values may still be nonsense;
// a projector skips what it cannot key and never panics.
type Projector interface {
	Kind() Kind
	Project(host HostRef, fact Fact) (cmdb.Elements, error)
}

// FactName names a fact of a host.
type FactName struct{ Kind, Instance string }

// Leaning is a Projector some of whose edges leave or reach vertices that other
// facts of the same host assert. Such an edge stands in the graph only while those
// vertices do, so what decides that is projected together.
type Leaning interface {
	Projector
	LeansOn() []FactName // those facts
	Instances() []string // of its own kind; "" where there is one per host
}
