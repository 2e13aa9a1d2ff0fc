package sessions

import (
	"net/netip"

	"assimilation/discovery"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/wire"
)

// Observer hears what the table learns, in the owner's goroutine and in order:
// Observe must not block.
type Observer interface{ Observe(Event) }

// Event is one of the types below.
type Event interface{ sessionEvent() }

// The events. What the store has to keep is told when it is durable.
type (
	// Known is an enrolled host of this relay: each at New, and those that enrol or
	// come from another relay later.
	Known struct{ Host store.Host }
	// Greeted: a session of the host has begun.
	Greeted struct {
		Host    store.Host // as it says of itself
		Address netip.AddrPort
		Boot    uint64 // of its probe: another one is another process
		Listen  uint16 // TCP port that its kernel answers at; 0: none
	}
	// Moved: the host's session goes on from another address.
	Moved struct {
		Host    tenancy.HostID
		Address netip.AddrPort
	}
	// Ended: the host has no session any more.
	Ended struct{ Host tenancy.HostID }
	// Left: the host said goodbye.
	Left struct {
		Host  tenancy.HostID
		Cause string
	}
	// Silent: the host was not heard for so long that it is called silent.
	Silent struct{ Host tenancy.HostID }
	// Heard: an authentic datagram came. Only of hosts that Config.Wanted names.
	Heard struct{ Host tenancy.HostID }
	// Reported is a probe's word about its neighbours.
	Reported struct {
		Host   tenancy.HostID
		Report *wire.Report
	}
	// FactPut: the fact is current now.
	FactPut struct {
		Host tenancy.HostID
		Fact discovery.Fact
	}
	// FactGone: there is no such fact any more.
	FactGone struct {
		Host           tenancy.HostID
		Kind, Instance string
	}
	// Cloned: the host's key speaks from two places. Settled: from one again.
	Cloned struct {
		Host    tenancy.HostID
		Settled bool
	}
	// Elsewhere: another relay of the site has the host now. Known tells when it is
	// this one's again.
	Elsewhere struct {
		Host  tenancy.HostID
		Relay tenancy.RelayID
	}
	// Retired: the host is no longer one of the site's.
	Retired struct{ Host tenancy.HostID }
)

func (Known) sessionEvent()     {}
func (Greeted) sessionEvent()   {}
func (Moved) sessionEvent()     {}
func (Ended) sessionEvent()     {}
func (Left) sessionEvent()      {}
func (Silent) sessionEvent()    {}
func (Heard) sessionEvent()     {}
func (Reported) sessionEvent()  {}
func (FactPut) sessionEvent()   {}
func (FactGone) sessionEvent()  {}
func (Cloned) sessionEvent()    {}
func (Elsewhere) sessionEvent() {}
func (Retired) sessionEvent()   {}

func (t *Table) observe(e Event) {
	for _, o := range t.Observers {
		o.Observe(e)
	}
}
