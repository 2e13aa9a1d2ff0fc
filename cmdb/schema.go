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

// MaxLabels bounds labels and edge types together: each is a table with indexes in
// every tenant's schema, and AGE drops a graph of many in steps (ADR 11).
const MaxLabels = 64

// The labels.
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

	Child       Label = "Child"       // key: host id / "child:" id of the container, guest or pod
	Image       Label = "Image"       // key: id of the image's configuration, else its name
	Unit        Label = "Unit"        // key: host id / "unit:" name
	Certificate Label = "Certificate" // key: hash of what a host says of it, its SHA-256 included
	FileSet     Label = "FileSet"     // key: hash of what it holds
	File        Label = "File"        // key: path
	Disk        Label = "Disk"        // key: host id / "disk:" name
	Group       Label = "Group"       // key: host id / "group:" name
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

	HasChild       EdgeType = "HAS_CHILD"       // Host -> Child
	PartOf         EdgeType = "PART_OF"         // Child -> Child, a container of a pod
	OfImage        EdgeType = "OF_IMAGE"        // Child -> Image
	ChildNIC       EdgeType = "CHILD_NIC"       // Child -> NIC; a host that has it too is this guest
	ChildAddress   EdgeType = "CHILD_ADDRESS"   // Child -> Address
	RunsIn         EdgeType = "RUNS_IN"         // Service -> Child
	HasUnit        EdgeType = "HAS_UNIT"        // Host -> Unit
	StartedBy      EdgeType = "STARTED_BY"      // Service -> Unit
	HasCertificate EdgeType = "HAS_CERTIFICATE" // Host -> Certificate, in a file
	Serves         EdgeType = "SERVES"          // Service -> Certificate, to its clients
	HasFiles       EdgeType = "HAS_FILES"       // Host -> FileSet
	Loads          EdgeType = "LOADS"           // Service -> FileSet
	Holds          EdgeType = "HOLDS"           // FileSet -> File
	HasDisk        EdgeType = "HAS_DISK"        // Host -> Disk
	Carries        EdgeType = "CARRIES"         // Disk -> Disk, as a disk its partitions
	OnDisk         EdgeType = "ON_DISK"         // Filesystem -> Disk
	HasGroup       EdgeType = "HAS_GROUP"       // Host -> Group
	MemberOf       EdgeType = "MEMBER_OF"       // User -> Group
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
	{Child, false, "host id / child: id", []string{"name", "image"}, "a system within the host: a container, a guest of a hypervisor, a pod"},
	{Image, true, "id of its configuration, else name", nil, "what containers are made of, shared by all that are made of the same"},
	{Unit, false, "host id / unit: name", []string{"name", "state"}, "a unit of systemd that runs, should run, or is the host's own"},
	{Certificate, true, "hash of what is said of it", []string{"not_after"}, "an X.509 certificate, wherever it lies or is served; hosts that say the same of it share it"},
	{FileSet, true, "hash of its files", nil, "files of programs, shared by hosts and services with the same ones"},
	{File, true, "path", []string{"name"}, "a program, library or jar, by its place; what stands there is on the edge to it"},
	{Disk, false, "host id / disk: name", nil, "a block device: a disk, or what lies on one"},
	{Group, false, "host id / group: name", []string{"name"}, "a group of accounts that can log in"},
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
	{HasChild, Host, Child, "the system runs within the host, and dies with it"},
	{PartOf, Child, Child, "the container is one of the pod's"},
	{OfImage, Child, Image, "what the container is made of; the name by which it was asked for is on the edge"},
	{ChildNIC, Child, NIC, "the guest's hardware address; who has it and runs a probe is the guest"},
	{ChildAddress, Child, Address, "the container's own address"},
	{RunsIn, Service, Child, "the service's processes run in the container"},
	{HasUnit, Host, Unit, "the host's systemd has it"},
	{StartedBy, Service, Unit, "the unit whose processes these are"},
	{HasCertificate, Host, Certificate, "it lies in a file of the host; the paths are on the edge"},
	{Serves, Service, Certificate, "the service shows it to its clients; where, is on the edge"},
	{HasFiles, Host, FileSet, "a sixteenth of the files of programs that listen"},
	{Loads, Service, FileSet, "what the service's processes are made of"},
	{Holds, FileSet, File, "implied by the set's key; the file's checksum, where known, is on the edge"},
	{HasDisk, Host, Disk, "a device of the host that lies on no other"},
	{Carries, Disk, Disk, "the second lies on the first"},
	{OnDisk, Filesystem, Disk, "where the filesystem's data lie"},
	{HasGroup, Host, Group, "the group is the host's own"},
	{MemberOf, User, Group, "the account is a member, beside the group of its own"},
}
