package collect

import (
	"cmp"
	"crypto/sha256"
	"io/fs"
	"os"
	"slices"

	"assimilation/discovery"
	kind "assimilation/discovery/certificates"
	"assimilation/discovery/internal/certificate"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/order"
)

// Limits of the fact.
const (
	maxCertificates = 2048
	maxNames        = 128
	maxPaths        = 64
	bundle          = 9 // so many certificates are a bundle; no chain has them
)

// New returns a collector of the system whose files are under root.
func New(root fs.FS) *conffile.Collector {
	return conffile.New(conffile.Source{Kind: kind.Kind, Body: body}, root, "")
}

// Local returns the collector of this host.
func Local() *conffile.Collector { return New(os.DirFS("/")) }

// store holds what one collection has found.
type store struct {
	*conffile.Reader
	found   map[[sha256.Size]byte]*kind.Certificate
	bundles []kind.Bundle
}

func body(r *conffile.Reader) any {
	s := store{Reader: r, found: map[[sha256.Size]byte]*kind.Certificate{}}
	for _, path := range paths(r) {
		s.file(path)
	}
	facts := kind.Facts{Certificates: make([]kind.Certificate, 0, len(s.found)), Bundles: s.bundles}
	for _, c := range s.found {
		facts.Certificates = append(facts.Certificates, *c)
	}
	order.By(facts.Certificates, func(a, b *kind.Certificate) int { return cmp.Compare(a.SHA256, b.SHA256) })
	return facts
}

// file takes the certificates of a file.
func (s *store) file(path string) {
	text, _ := s.File(path)
	path = discovery.Clean(path, maxPath)
	if n := certificate.Count(text); n >= bundle {
		s.bundles = append(s.bundles, kind.Bundle{Path: path, Certificates: int64(n)})
		return
	}
	for _, der := range certificate.Split(text) {
		sum := sha256.Sum256(der)
		if known := s.found[sum]; known != nil {
			if len(known.Paths) < maxPaths && !slices.Contains(known.Paths, path) {
				known.Paths = append(known.Paths, path)
			}
			continue
		}
		c, err := certificate.Parse(der)
		if err != nil {
			continue
		}
		if len(s.found) == maxCertificates {
			s.Limit()
			return
		}
		for i, name := range c.Names {
			c.Names[i] = conffile.Clean(name)
		}
		s.found[sum] = &kind.Certificate{
			SHA256: discovery.Hash(sum).String(), Paths: []string{path}, Subject: conffile.Clean(c.Subject), Issuer: conffile.Clean(c.Issuer),
			Names: c.Names[:min(len(c.Names), maxNames)], Serial: conffile.Clean(c.Serial), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
			Key: conffile.Clean(c.Key), Bits: c.Bits, Signature: conffile.Clean(c.Signature), Authority: c.Authority, OwnIssuer: c.OwnIssuer,
		}
	}
}
