// Package project turns facts of the kind "certificates" into graph elements.
package project

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
// it, and says the same of it. Authorities in bundles are only counted, in the fact.
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

// vertex adds the certificate, with what it says itself. That is the host's word, not
// known from the certificate's hash: a host that lies about the certificate of another
// speaks of a vertex of its own.
func vertex(e *cmdb.Elements, c certificates.Certificate) cmdb.Ref {
	props := map[string]any{"sha256": c.SHA256}
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
	said, err := json.Marshal(props) // in the order of their names
	if err != nil {
		panic(err) // they are texts, numbers and flags
	}
	sum := sha256.Sum256(said)
	return e.AddVertex(cmdb.Certificate, hex.EncodeToString(sum[:]), props)
}

// moment is a time as the graph compares it, "" for what is none. A certificate may
// be of a year that Postgres does not have: it is as good as of the first, or the last.
func moment(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ""
	}
	switch at = at.UTC(); {
	case at.Year() < 1:
		at = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	case at.Year() > 9999:
		at = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return at.Format(time.RFC3339)
}
