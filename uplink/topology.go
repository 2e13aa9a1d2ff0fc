package uplink

import (
	"time"

	"assimilation/tenancy"
)

// Topology is the body of the answer to a question of kind "topology": how the
// site is wired, and how its hosts watch each other. It is JSON, and also what
// `assim-relay topology -o json` prints.
type Topology struct {
	Relay    string           `json:"relay"` // the relay's name
	At       time.Time        `json:"at"`
	Zones    []TopologyZone   `json:"zones"`
	Switches []TopologySwitch `json:"switches"`
	Hosts    []TopologyHost   `json:"hosts"`
	Rings    []TopologyRing   `json:"rings"`
}

// TopologyZone is a place: a rack, room or building.
type TopologyZone struct {
	Name  string         `json:"name"`
	State string         `json:"state"` // up, down
	Hosts int            `json:"hosts"`
	Place *TopologyPlace `json:"place,omitempty"`
}

// TopologyPlace is what LLDP-MED (ANSI/TIA-1057) says of a place.
type TopologyPlace struct {
	Latitude  string            `json:"latitude,omitempty"` // degrees, decimal
	Longitude string            `json:"longitude,omitempty"`
	Altitude  string            `json:"altitude,omitempty"`
	Civic     map[string]string `json:"civic,omitempty"` // country, city, building, floor, room...
	ELIN      string            `json:"elin,omitempty"`
}

// TopologySwitch is a switch, or a subnet where no switch is known.
type TopologySwitch struct {
	Domain      string         `json:"domain"` // 32 hex digits: its opaque name in verdicts
	Chassis     string         `json:"chassis,omitempty"`
	Name        string         `json:"name,omitempty"`
	Description string         `json:"description,omitempty"`
	Management  []string       `json:"management,omitempty"`
	Subnet      string         `json:"subnet,omitempty"` // instead of a chassis
	Zone        string         `json:"zone,omitempty"`
	State       string         `json:"state"` // up, down
	Ports       []TopologyPort `json:"ports,omitempty"`
	Place       *TopologyPlace `json:"place,omitempty"`
}

// TopologyPort is a port that a host is wired to.
type TopologyPort struct {
	Port        string         `json:"port"`
	Description string         `json:"description,omitempty"`
	VLAN        int64          `json:"vlan,omitempty"`
	Host        tenancy.HostID `json:"host"`
	Interface   string         `json:"interface"`
	Protocol    string         `json:"protocol"` // lldp, cdp
}

// TopologyHost is a host where it stands.
type TopologyHost struct {
	Host    tenancy.HostID `json:"host"`
	Name    string         `json:"name"`
	State   string         `json:"state"`
	Domain  string         `json:"domain"`
	Zone    string         `json:"zone,omitempty"`
	Address string         `json:"address,omitempty"`
}

// TopologyRing is a cycle of hosts, each the neighbour of the next.
type TopologyRing struct {
	Level   string           `json:"level"` // switch, zone, site
	Name    string           `json:"name"`
	Members []tenancy.HostID `json:"members"` // the relay is the zero id
}
