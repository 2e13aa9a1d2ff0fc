// Package project turns facts of the kind "certificates" into graph elements.
package project

import (
	"net"
	"slices"
	"strconv"
	"time"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/certificates"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/sockets"
)

// Bounds of the certificates in files, of those that are served, and of the places
// of one. The fact has the others.
const (
	Most      = 32
	MostPaths = 8
)

// Projector projects the kind "certificates": each is one for whoever has or serves
// it. Authorities in bundles are only counted, in the fact.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return certificates.Kind }

// LeansOn implements discovery.Leaning: who serves one is a vertex of the kind
// "sockets".
func (Projector) LeansOn() []discovery.FactName {
	return []discovery.FactName{{Kind: sockets.Kind.Name}}
}

// Instances implements discovery.Leaning.
func (Projector) Instances() []string { return []string{""} }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[certificates.Facts](certificates.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	lie := 0
	known := map[string]certificates.Certificate{}
	for _, c := range body.Certificates {
		if _, twice := known[c.SHA256]; c.SHA256 == "" || len(c.SHA256) > cmdb.MaxKey || twice {
			continue
		}
		known[c.SHA256] = c
		if len(c.Paths) > 0 && lie < Most {
			lie++
			paths := map[string]any{"paths": c.Paths[:min(len(c.Paths), MostPaths)]}
			e.AddEdge(cmdb.HasCertificate, elements.Host(host), vertex(&e, c), paths)
		}
	}
	for _, s := range served(body.Listeners) {
		if c, ok := known[s.certificate]; ok {
			props := map[string]any{"listeners": s.listeners, "protocols": s.protocols}
			e.AddEdge(cmdb.Serves, elements.Service(host, s.service), vertex(&e, c), props)
		}
	}
	return e, nil
}

// serving says that a service shows a certificate of its own.
type serving struct {
	service, certificate string
	listeners, protocols []string
}

// served puts the listeners of a service that show the same certificate together.
func served(listeners []certificates.Listener) []*serving {
	var all []*serving
	for _, l := range listeners {
		if l.Service == "" || len(l.Service) > 64 || len(l.Chain) == 0 {
			continue
		}
		i := slices.IndexFunc(all, func(s *serving) bool { return s.service == l.Service && s.certificate == l.Chain[0] })
		if i < 0 {
			if len(all) == Most {
				break
			}
			i, all = len(all), append(all, &serving{service: l.Service, certificate: l.Chain[0], protocols: []string{}})
		}
		s := all[i]
		if place := net.JoinHostPort(l.IP, strconv.FormatInt(l.Port, 10)); len(s.listeners) < MostPaths && !slices.Contains(s.listeners, place) {
			s.listeners = append(s.listeners, place)
		}
		for _, p := range l.Protocols {
			if len(s.protocols) < MostPaths && !slices.Contains(s.protocols, p) {
				s.protocols = append(s.protocols, p)
			}
		}
	}
	return all
}

// vertex adds the certificate, with what it says itself.
func vertex(e *cmdb.Elements, c certificates.Certificate) cmdb.Ref {
	props := map[string]any{}
	for _, text := range []struct{ name, value string }{
		{"subject", c.Subject}, {"issuer", c.Issuer}, {"serial", c.Serial}, {"not_before", moment(c.NotBefore)}, {"not_after", moment(c.NotAfter)},
		{"algorithm", c.Key}, {"signature", c.Signature},
	} {
		elements.Text(props, text.name, text.value)
	}
	if c.Bits > 0 {
		props["bits"] = c.Bits
	}
	if len(c.Names) > 0 {
		props["names"] = c.Names
	}
	elements.Flag(props, "authority", c.Authority)
	elements.Flag(props, "own_issuer", c.OwnIssuer)
	return e.AddVertex(cmdb.Certificate, c.SHA256, props)
}

// moment is a time as the graph compares it, "" for what is none.
func moment(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
