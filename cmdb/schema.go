// Package cmdb is the vocabulary of a tenant's graph: which labels and edge
// types there are, how each element is keyed, what belongs to whom, and the
// difference between two sets of elements. It knows no SQL and no source of
// facts.
//
// Every element has a natural key, so that two hosts which speak of the same
// thing speak of one element. There are two sorts of vertices:
//
//   - an owned vertex is keyed under a host (its key starts with the host's
//     id) and is asserted by exactly one fact of that host;
//   - a shared vertex (an address, an endpoint, a package) carries only what
//     its key implies, is asserted by nobody, and lives while an edge points
//     at it.
//
// Edges leave an owned vertex (asserted by the same fact) or a shared one
// (then they are implied by its key, as PackageSet-[CONTAINS]->Package).
package cmdb

// Label names a sort of vertex.
type Label string

// EdgeType names a sort of edge.
type EdgeType string

// The labels. AGE 1.5 breaks at 41 labels per graph, so vertices and edges
// together stay at 38 at most; a test counts them.
const (
	Host       Label = "Host"       // key: host id
	Interface  Label = "Interface"  // key: host id / interface name
	Service    Label = "Service"    // key: host id / identity of the process group
	NIC        Label = "NIC"        // key: realm | MAC
	Address    Label = "Address"    // key: realm | IP
	Subnet     Label = "Subnet"     // key: realm | CIDR
	Endpoint   Label = "Endpoint"   // key: realm | IP | protocol | port
	OS         Label = "OS"         // key: id | version | architecture
	PackageSet Label = "PackageSet" // key: content hash of the fact
	Package    Label = "Package"    // key: manager | name | version | architecture
	Hardware   Label = "Hardware"   // key: host id / "hardware"
	Filesystem Label = "Filesystem" // key: host id / where it is mounted
	User       Label = "User"       // key: host id / name of the account
	Switch     Label = "Switch"     // key: site realm | chassis
	SwitchPort Label = "SwitchPort" // key: site realm | chassis | port
	Object     Label = "Object"     // key: host id / kind of a script agent
)

// The edge types.
const (
	HasInterface EdgeType = "HAS_INTERFACE" // Host -> Interface
	HasNIC       EdgeType = "HAS_NIC"       // Interface -> NIC
	HasAddress   EdgeType = "HAS_ADDRESS"   // Interface -> Address
	InSubnet     EdgeType = "IN_SUBNET"     // Interface -> Subnet
	Sees         EdgeType = "SEES"          // Interface -> Address of a neighbour; the MAC is on the edge
	SeesNIC      EdgeType = "SEES_NIC"      // Interface -> NIC of a neighbour
	Runs         EdgeType = "RUNS"          // Host -> Service
	ListensOn    EdgeType = "LISTENS_ON"    // Service -> Endpoint
	ConnectsTo   EdgeType = "CONNECTS_TO"   // Service -> Endpoint
	At           EdgeType = "AT"            // Endpoint -> Address
	RunsOS       EdgeType = "RUNS_OS"       // Host -> OS
	HasPackages  EdgeType = "HAS_PACKAGES"  // Host -> PackageSet
	Contains     EdgeType = "CONTAINS"      // PackageSet -> Package
	HasHardware  EdgeType = "HAS_HARDWARE"  // Host -> Hardware
	Mounts       EdgeType = "MOUNTS"        // Host -> Filesystem
	HasUser      EdgeType = "HAS_USER"      // Host -> User
	WiredTo      EdgeType = "WIRED_TO"      // Interface -> SwitchPort; what the port says of itself is on the edge
	OfSwitch     EdgeType = "OF_SWITCH"     // SwitchPort -> Switch
	Hears        EdgeType = "HEARS"         // Interface -> Address of somebody on the link; the MAC is on the edge
	HasObject    EdgeType = "HAS_OBJECT"    // Host -> Object
)

// VertexSpec describes one label.
type VertexSpec struct {
	Label  Label
	Shared bool   // see the package comment
	Key    string // how the key is built, in words
	// Index lists properties, beside "key", that queries look up by equality.
	Index []string
	Doc   string
}

// EdgeSpec describes one edge type.
type EdgeSpec struct {
	Type     EdgeType
	From, To Label
	Doc      string
}

// Vertices lists every label in the order in which it is written.
var Vertices = []VertexSpec{
	{Host, false, "host id", []string{"name"}, "a machine that runs a probe"},
	{Interface, false, "host id / interface name", nil, "a network link of a host"},
	{Service, false, "host id / executable, arguments, user, container", []string{"name"}, "a group of identical processes that listen or connect"},
	{NIC, true, "realm | MAC", []string{"mac"}, "a link-layer address, owned by an interface or only seen"},
	{Address, true, "realm | IP", []string{"ip"}, "a network address within its realm"},
	{Subnet, true, "realm | CIDR", nil, "the network of an interface's address"},
	{Endpoint, true, "realm | IP | protocol | port", []string{"port"}, "where a service listens or a client connects"},
	{OS, true, "id | version | architecture", nil, "an operating system release"},
	{PackageSet, true, "content hash", nil, "a sixteenth of a host's packages, shared by all hosts with the same content"},
	{Package, true, "manager | name | version | architecture", []string{"name"}, "one installed package version"},
	{Hardware, false, "host id / hardware", nil, "the machine that the host runs on"},
	{Filesystem, false, "host id / where it is mounted", nil, "a filesystem that the host has mounted"},
	{User, false, "host id / name of the account", []string{"name"}, "an account of the host that can log in"},
	{Switch, true, "realm | chassis", nil, "a switch, or what else stands at the other end of a link"},
	{SwitchPort, true, "realm | chassis | port", nil, "a port of a switch"},
	{Object, false, "host id / kind", []string{"kind"}, "what a script agent of the host says; its properties are the script's own"},
}

// Edges lists every edge type in the order in which it is written.
var Edges = []EdgeSpec{
	{HasInterface, Host, Interface, "the host has this link"},
	{HasNIC, Interface, NIC, "the link's own hardware address"},
	{HasAddress, Interface, Address, "the link's own network address, with its prefix"},
	{InSubnet, Interface, Subnet, "the network that an own address is in"},
	{Sees, Interface, Address, "a neighbour in the kernel's neighbour table"},
	{SeesNIC, Interface, NIC, "the neighbour's hardware address"},
	{Runs, Host, Service, "the service's processes run on the host"},
	{ListensOn, Service, Endpoint, "the service accepts at this endpoint"},
	{ConnectsTo, Service, Endpoint, "the service is a client of this endpoint"},
	{At, Endpoint, Address, "the endpoint's address; implied by its key"},
	{RunsOS, Host, OS, "the host's operating system"},
	{HasPackages, Host, PackageSet, "one of the host's 16 package sets"},
	{Contains, PackageSet, Package, "implied by the set's key"},
	{HasHardware, Host, Hardware, "the host's machine"},
	{Mounts, Host, Filesystem, "the host has mounted it"},
	{HasUser, Host, User, "the account is the host's own"},
	{WiredTo, Interface, SwitchPort, "the port tells the link that it is at its other end; with its own words"},
	{OfSwitch, SwitchPort, Switch, "implied by the port's key"},
	{Hears, Interface, Address, "somebody claimed the address on the link, by ARP or Neighbor Discovery"},
	{HasObject, Host, Object, "the host's script agent says it"},
}
