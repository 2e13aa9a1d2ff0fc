// Package project turns facts of the kind "sockets" into graph elements.
package project

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/sockets"
)

// Projector projects the kind "sockets": services, the endpoints where they
// listen and those whose clients they are. A client's endpoint and the server's
// are one vertex, which is how hosts depend on one another.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return sockets.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[sockets.Facts](sockets.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	for _, s := range body.Services {
		projectService(&e, host, s)
	}
	return e, nil
}

func projectService(e *cmdb.Elements, host discovery.HostRef, s sockets.Service) {
	props := map[string]any{"name": s.Name, "uid": s.UID, "gid": s.GID}
	elements.Text(props, "exe", s.Exe)
	elements.Text(props, "container", s.Container)
	if len(s.Argv) > 0 {
		props["argv"] = s.Argv
	}
	service := e.AddVertex(cmdb.Service, host.ID+"/"+identity(s), props)
	e.AddEdge(cmdb.Runs, elements.Host(host), service, nil)
	for _, l := range s.Listens {
		ip, ok := endpoint(l.IP, l.Protocol, l.Port)
		if !ok {
			continue
		}
		props := map[string]any{}
		elements.Text(props, "wildcard", l.Wildcard)
		elements.Text(props, "device", l.Device)
		e.AddEdge(cmdb.ListensOn, service, elements.Endpoint(e, host, ip, l.Private, l.Protocol, uint16(l.Port)), props)
	}
	for _, c := range s.Connects {
		ip, ok := endpoint(c.IP, c.Protocol, c.Port)
		// A group has many members, none of which this is a client of.
		if !ok || ip.IsMulticast() || ip.IsUnspecified() {
			continue
		}
		e.AddEdge(cmdb.ConnectsTo, service, elements.Endpoint(e, host, ip, c.Private, c.Protocol, uint16(c.Port)), nil)
	}
}

func endpoint(ip, protocol string, port int64) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(ip)
	return addr, err == nil && (protocol == "tcp" || protocol == "udp") && port > 0 && port <= math.MaxUint16
}

// identity is half a SHA-256 over what tells two services apart, each part
// preceded by its length. It is a disk format.
func identity(s sockets.Service) string {
	h := sha256.New()
	part := func(text string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
		h.Write([]byte(text))
	}
	part(s.Exe)
	part(strconv.Itoa(len(s.Argv)))
	for _, arg := range s.Argv {
		part(arg)
	}
	part(strconv.FormatInt(s.UID, 10))
	part(strconv.FormatInt(s.GID, 10))
	part(s.Container)
	if s.Exe == "" {
		part(s.Name) // the process is not known: "kernel" and "unknown" are two
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
