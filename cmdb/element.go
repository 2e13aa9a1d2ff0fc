package cmdb

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// MaxKey bounds a natural key, in bytes: beyond a third of an index page
// Postgres refuses the entry. A longer key is replaced by a hash of itself by
// whoever builds it.
const MaxKey = 1024

// Ref names a vertex by its natural key.
type Ref struct {
	Label Label
	Key   string
}

// Vertex is one vertex. Props never holds "key" or "label": the writer adds
// the key. Values are string, bool, int64, []string or []int64.
type Vertex struct {
	Ref
	Props map[string]any
}

// Edge is one edge; between two vertices there is at most one of a type.
type Edge struct {
	Type     EdgeType
	From, To Ref
	Props    map[string]any
}

// Elements is what one fact says about the graph: the owned vertices and the
// edges that leave them (asserted by this fact), and with them the shared
// vertices they point at and the edges between shared vertices (implied).
type Elements struct {
	Vertices []Vertex
	Edges    []Edge
}

// AddVertex appends a vertex.
func (e *Elements) AddVertex(label Label, key string, props map[string]any) Ref {
	ref := Ref{label, key}
	e.Vertices = append(e.Vertices, Vertex{ref, props})
	return ref
}

// AddEdge appends an edge.
func (e *Elements) AddEdge(t EdgeType, from, to Ref, props map[string]any) {
	e.Edges = append(e.Edges, Edge{t, from, to, props})
}

// Realm is the scope within which an address is unique. 127.0.0.1 of two hosts
// are two addresses; so are 172.17.0.1 behind two container bridges; 10.0.0.5
// is one address within a site (or within the sites that share a realm label);
// a public address is one for the whole tenant.
type Realm string

// Public is the realm of globally routed addresses.
const Public Realm = "public"

// HostRealm is the realm of a host's private addresses: loopback, link-local,
// and whatever sits behind its own bridges.
func HostRealm(hostID string) Realm { return Realm("host:" + hostID) }

// SiteRealm is the realm of a site's private address space; label is the
// site's realm label, by default the site's id.
func SiteRealm(label string) Realm { return Realm("site:" + label) }

// RealmOf decides the realm of ip as one host sees it. hostPrivate says that
// the probe found the address behind a bridge of its own.
func RealmOf(ip netip.Addr, hostPrivate bool, host, site Realm) Realm {
	ip = ip.Unmap()
	switch {
	case hostPrivate, ip.IsLoopback(), ip.IsLinkLocalUnicast(), ip.IsUnspecified(), ip.IsMulticast():
		return host
	case ip.IsPrivate(), sharedSpace.Contains(ip), isReserved(ip):
		return site
	}
	return Public
}

var sharedSpace = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// reserved are documentation and benchmark networks: never globally unique, and
// widely used as if they were private.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), // RFC 5737
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.18.0.0/15"), // RFC 5737, 2544
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("2001:db8::/32"), // RFC 1112, 3849
}

func isReserved(ip netip.Addr) bool {
	for _, p := range reserved {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// The natural keys of shared vertices. Parts are separated by "|", which no
// realm, address, protocol or package field may contain unescaped.

// NICKey is the key of a link-layer address.
func NICKey(r Realm, mac string) string { return string(r) + "|" + strings.ToLower(mac) }

// AddressKey is the key of a network address; IPv4-mapped IPv6 is IPv4, zones
// are dropped (the host realm already says whose link it is).
func AddressKey(r Realm, ip netip.Addr) string {
	return string(r) + "|" + ip.Unmap().WithZone("").String()
}

// SubnetKey is the key of a network.
func SubnetKey(r Realm, p netip.Prefix) string { return string(r) + "|" + p.Masked().String() }

// EndpointKey is the key of an endpoint; proto is "tcp" or "udp".
func EndpointKey(r Realm, ip netip.Addr, proto string, port uint16) string {
	return AddressKey(r, ip) + "|" + proto + "|" + strconv.Itoa(int(port))
}

// JoinKey joins the parts of a key, escaping the separator in each of them. A
// key longer than MaxKey becomes its hash.
func JoinKey(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = keyEscaper.Replace(p)
	}
	key := strings.Join(escaped, "|")
	if len(key) > MaxKey {
		sum := sha256.Sum256([]byte(key))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return key
}

var keyEscaper = strings.NewReplacer(`\`, `\\`, "|", `\|`)
