// Package project turns facts of the kind "certificates" into graph elements.
package project

import (
	"time"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/certificates"
	"assimilation/discovery/internal/elements"
)

// Bounds of a host, and of the places of one certificate. The fact has the others.
const (
	Most      = 32
	MostPaths = 8
)

// Projector projects the kind "certificates": each is one for whoever has or serves
// it. Authorities in bundles are only counted, in the fact.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return certificates.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[certificates.Facts](certificates.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	seen := map[string]bool{}
	for _, c := range body.Certificates {
		if c.SHA256 == "" || len(c.SHA256) > cmdb.MaxKey || len(c.Paths) == 0 || seen[c.SHA256] || len(seen) == Most {
			continue
		}
		seen[c.SHA256] = true
		paths := map[string]any{"paths": c.Paths[:min(len(c.Paths), MostPaths)]}
		e.AddEdge(cmdb.HasCertificate, elements.Host(host), vertex(&e, c), paths)
	}
	return e, nil
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
