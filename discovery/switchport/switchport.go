// Package switchport is the kind "switchport": the switch port at the other end
// of each of the host's links, as the switch itself tells by LLDP (IEEE Std
// 802.1AB-2016) and CDP.
package switchport

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "switchport": one instance, from frames that are listened for
// on AF_PACKET sockets, by event. All of it is topology: it stays in the site
// unless the tenant says otherwise.
var Kind = discovery.Kind{
	Name: "switchport", Version: 1,
	Needs:    []discovery.Capability{discovery.NetRaw},
	Interval: 5 * time.Minute, Timeout: 5 * time.Second,
	Body: Facts{},
	Doc:  "switch, port and place at the other end of the host's links",
}

// Facts is the body, sorted by interface, then chassis and port.
type Facts struct {
	Ports []Port `json:"ports" key:"interface,chassis,port" title:"interface,port"`
}

// Port is one neighbour's port. A switch that speaks both LLDP and CDP is one
// port: LLDP's words, and what only CDP says beside them. It goes when its TTL
// has passed, the link lost its carrier, or the switch said so (TTL 0).
type Port struct {
	Interface string `json:"interface" class:"internal"`
	// Protocol whose words they are: lldp, cdp; "lldp+cdp".
	Protocol string `json:"protocol" class:"internal"`
	// Chassis tells the switch from all others: "mac 02:00:00:00:01:01", "local
	// core-3", "name r1.example" of CDP. ChassisSubtype is LLDP's (8.5.2.2).
	Chassis         string   `json:"chassis" class:"topology"`
	ChassisSubtype  string   `json:"chassis_subtype,omitempty" class:"topology"`
	Port            string   `json:"port" class:"topology"`
	PortSubtype     string   `json:"port_subtype,omitempty" class:"topology"`
	PortDescription string   `json:"port_description,omitempty" class:"topology"`
	Name            string   `json:"name,omitempty" class:"topology"`
	Description     string   `json:"description,omitempty" class:"topology"`
	Platform        string   `json:"platform,omitempty" class:"topology"`     // CDP
	Capabilities    []string `json:"capabilities,omitempty" class:"topology"` // enabled: bridge, router, wlan-ap, telephone, docsis, station, repeater, other
	Management      []string `json:"management,omitempty" class:"topology"`   // addresses
	SourceMAC       string   `json:"source_mac" class:"topology"`

	// IEEE 802.1 and CDP.
	VLAN  int64  `json:"vlan,omitempty" class:"topology"` // port VLAN id, native VLAN
	VLANs []VLAN `json:"vlans,omitempty" key:"id"`
	// ProtocolVLANs are those that the port is in by the frames' protocol.
	ProtocolVLANs []int64  `json:"protocol_vlans,omitempty" class:"topology"`
	VTPDomain     string   `json:"vtp_domain,omitempty" class:"topology"`
	Protocols     []string `json:"protocols,omitempty" class:"topology"`   // protocol identities, hex
	LinkGroup     int64    `json:"link_group,omitempty" class:"topology"`  // aggregated port id
	Aggregated    bool     `json:"aggregated,omitempty" class:"topology"`  //
	VoiceVLAN     int64    `json:"voice_vlan,omitempty" class:"topology"`  // CDP
	Duplex        string   `json:"duplex,omitempty" class:"topology"`      // half, full
	MTU           int64    `json:"mtu,omitempty" class:"topology"`         // 802.3 maximum frame size; CDP MTU
	MAU           string   `json:"mau,omitempty" class:"topology"`         // operational MAU type: "1000BASE-T full duplex", or its number
	SpeedMbps     int64    `json:"speed_mbps,omitempty" class:"topology"`  // of the MAU type
	AutoNeg       string   `json:"autoneg,omitempty" class:"topology"`     // unsupported, disabled, enabled
	PowerClass    string   `json:"power_class,omitempty" class:"topology"` // PoE: "class 4"
	PowerType     string   `json:"power_type,omitempty" class:"topology"`  // pse, pd
	PowerMW       int64    `json:"power_mw,omitempty" class:"topology"`    // allocated or available, milliwatts

	// LLDP-MED (ANSI/TIA-1057).
	MEDClass     string   `json:"med_class,omitempty" class:"topology"`
	Policies     []Policy `json:"policies,omitempty" key:"application"`
	HardwareRev  string   `json:"hardware_rev,omitempty" class:"topology"`
	FirmwareRev  string   `json:"firmware_rev,omitempty" class:"topology"`
	SoftwareRev  string   `json:"software_rev,omitempty" class:"topology"`
	Serial       string   `json:"serial,omitempty" class:"topology"`
	Manufacturer string   `json:"manufacturer,omitempty" class:"topology"`
	Model        string   `json:"model,omitempty" class:"topology"`
	Asset        string   `json:"asset,omitempty" class:"topology"`
	// A coordinate-based location (RFC 6225), in decimal degrees, as text: a body
	// has no fractions.
	Latitude  string  `json:"latitude,omitempty" class:"topology"`
	Longitude string  `json:"longitude,omitempty" class:"topology"`
	Altitude  string  `json:"altitude,omitempty" class:"topology"` // "11 m", "2 floors"
	Datum     string  `json:"datum,omitempty" class:"topology"`    // WGS84, NAD83/NAVD88, NAD83/MLLW
	Civic     []Civic `json:"civic,omitempty" key:"element"`
	ELIN      string  `json:"elin,omitempty" class:"topology"`
}

// VLAN is one that the port is a member of.
type VLAN struct {
	ID   int64  `json:"id" class:"topology"`
	Name string `json:"name,omitempty" class:"topology"`
}

// Policy is an LLDP-MED network policy.
type Policy struct {
	Application string `json:"application" class:"topology"` // voice, voice-signaling, guest-voice, softphone-voice, video-conferencing, streaming-video...
	VLAN        int64  `json:"vlan,omitempty" class:"topology"`
	Tagged      bool   `json:"tagged,omitempty" class:"topology"`
	Priority    int64  `json:"priority,omitempty" class:"topology"`
	DSCP        int64  `json:"dscp,omitempty" class:"topology"`
}

// Civic is one element of a civic address (RFC 4776).
type Civic struct {
	Element string `json:"element" class:"topology"` // country, city, street, building, floor, room, unit... or the CAtype's number
	Value   string `json:"value" class:"topology"`
}
