// Package firewall is the kind "firewall": the packet filter of the host.
package firewall

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "firewall": one instance per table, from the kernel's nf_tables,
// which also serves today's iptables. Without CAP_NET_ADMIN, which the probe's unit
// does not give, the kernel tells nothing.
var Kind = discovery.Kind{
	Name: "firewall", Version: 1,
	Needs:    []discovery.Capability{discovery.NetAdmin},
	Interval: 15 * time.Minute, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "tables, chains and rules of the packet filter",
}

// Facts is the body: one table.
type Facts struct {
	Family string `json:"family" class:"internal"` // ip, ip6, inet, arp, bridge, netdev
	Name   string `json:"name" class:"internal"`
	// Legacy is a table of the older iptables, of which only the name is known.
	Legacy bool    `json:"legacy,omitempty" class:"internal"`
	Chains []Chain `json:"chains" key:"name"`         // sorted by name
	Sets   []Set   `json:"sets,omitempty" key:"name"` // sorted by name
}

// Chain is a list of rules; one with a Hook is where packets come in.
type Chain struct {
	Name     string `json:"name" class:"internal"`
	Type     string `json:"type,omitempty" class:"internal"` // filter, nat, route
	Hook     string `json:"hook,omitempty" class:"internal"` // prerouting, input, forward, output, postrouting, ingress
	Priority int64  `json:"priority,omitempty" class:"internal"`
	Policy   string `json:"policy,omitempty" class:"internal"` // accept, drop
	// Order is a digest of the rules in their order, which is the only thing that
	// differs when two are exchanged.
	Order string `json:"order,omitempty" class:"internal"`
	Rules []Rule `json:"rules,omitempty" key:"text,copy" title:"text"` // in their order
}

// Rule is one rule, as the kernel runs it: expressions separated by "; ", such as
// "meta key=iifname dreg=1; cmp sreg=1 op=eq data=\"lo\"; immediate dreg=0 data=accept".
// Counters are no fact.
type Rule struct {
	Text    string `json:"text" class:"internal"`
	Copy    int64  `json:"copy,omitempty" class:"internal"` // 1 for the second rule of the same text
	Comment string `json:"comment,omitempty" class:"personal"`
}

// Set is a set that rules look up.
type Set struct {
	Name  string `json:"name" class:"internal"`
	Flags int64  `json:"flags" class:"internal"` // as in linux/netfilter/nf_tables.h
	// Elements are those of sets that cannot change: of others they come and go.
	Elements []string `json:"elements,omitempty" class:"internal"`
}
