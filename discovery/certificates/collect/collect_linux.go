package collect

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"assimilation/discovery"
	kind "assimilation/discovery/certificates"
	"assimilation/discovery/internal/certificate"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/hostfiles"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/tlshello"
)

// Limits of the fact.
const (
	maxCertificates = 2048
	maxNames        = 128
	maxPaths        = 64
	bundle          = 9 // so many certificates are a bundle; no chain has them
	// maxTexts bounds what the certificates say in all, in bytes: anybody may serve some,
	// and a fact that is too large is refused as a whole.
	maxTexts = 3 << 20
)

// Ask asks a TLS server for its certificates, as tlshello.Ask does.
type Ask func(ctx context.Context, server netip.AddrPort, name string) (*tlshello.Answer, error)

// Collector reads files, asks listeners, and remembers what these said.
type Collector struct {
	root    fs.FS
	hello   kind.Hello
	ask     Ask
	name    string // by which listeners are asked beside none
	now     func() time.Time
	answers map[listener]answer
	rounds  int // collections in a row that were unfinished

	mu        sync.Mutex
	listeners []listener // that there are now
}

// New returns a collector of the system whose files are under root, and whose name is
// name.
func New(root fs.FS, hello kind.Hello, ask Ask, name string, now func() time.Time) *Collector {
	return &Collector{root: root, hello: hello, ask: ask, name: name, now: now}
}

// Local returns the collector of this host.
func Local(hello kind.Hello) *Collector {
	name, err := os.Hostname()
	if err != nil {
		name = "" // then none is asked by it
	}
	return New(hostfiles.Root(), hello, tlshello.Ask, name, time.Now)
}

// Kind is the kind "certificates".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact. As long as listeners are left that were not asked yet
// it says so, and returns none.
func (c *Collector) Collect(ctx context.Context) ([]discovery.Fact, error) {
	c.mu.Lock()
	listeners := c.listeners
	c.mu.Unlock()
	problem, unfinished := c.askNew(ctx, listeners)
	if !unfinished {
		c.rounds = 0
	} else if c.rounds++; c.rounds < maxRounds {
		return nil, discovery.ErrUnfinished
	} else {
		problem = errors.Join(problem, &discovery.Degraded{What: "the certificates of listeners that are new each time"})
	}
	s := store{Reader: conffile.NewReader(c.root), found: map[[sha256.Size]byte]*kind.Certificate{}}
	for _, path := range paths(s.Reader) {
		s.file(path)
	}
	facts := kind.Facts{Bundles: s.bundles}
	for _, said := range c.answers {
		facts.Listeners = append(facts.Listeners, said.rows...)
	}
	order.By(facts.Listeners, func(a, b *kind.Listener) int {
		named := 0
		if a.Named && !b.Named {
			named = 1
		} else if b.Named && !a.Named {
			named = -1
		}
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.IP, b.IP), named)
	})
	for _, l := range listeners {
		for _, der := range c.answers[l].chain {
			s.add(sha256.Sum256(der), der, "")
		}
	}
	facts.Certificates = make([]kind.Certificate, 0, len(s.found))
	for _, one := range s.found {
		facts.Certificates = append(facts.Certificates, *one)
	}
	order.By(facts.Certificates, func(a, b *kind.Certificate) int { return cmp.Compare(a.SHA256, b.SHA256) })
	fact, err := discovery.NewFact(kind.Kind, "", facts)
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, errors.Join(s.Err(), problem, c.refusals())
}

// store holds what one collection has found.
type store struct {
	*conffile.Reader
	found   map[[sha256.Size]byte]*kind.Certificate
	bundles []kind.Bundle
	texts   int // bytes of what the certificates say
}

// file takes the certificates of a file.
func (s *store) file(path string) {
	text, _ := s.File(path)
	path = discovery.Clean(path, maxPath)
	if n := certificate.Count(text); n >= bundle {
		if s.texts += len(path); s.texts > maxTexts {
			s.Limit()
			return
		}
		s.bundles = append(s.bundles, kind.Bundle{Path: path, Certificates: int64(n)})
		return
	}
	for _, der := range certificate.Split(text) {
		s.add(sha256.Sum256(der), der, path)
	}
}

// add takes a certificate that lies at a path, or at none.
func (s *store) add(sum [sha256.Size]byte, der []byte, path string) {
	known := s.found[sum]
	if known == nil {
		c, err := certificate.Parse(der)
		if err != nil {
			return
		}
		c.Names = c.Names[:min(len(c.Names), maxNames)]
		for i, name := range c.Names {
			c.Names[i] = conffile.Clean(name)
			s.texts += len(c.Names[i])
		}
		known = &kind.Certificate{
			SHA256: discovery.Hash(sum).String(), Paths: []string{}, Subject: conffile.Clean(c.Subject), Issuer: conffile.Clean(c.Issuer),
			Names: c.Names, Serial: conffile.Clean(c.Serial), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
			Key: conffile.Clean(c.Key), Bits: c.Bits, Signature: conffile.Clean(c.Signature), Authority: c.Authority, OwnIssuer: c.OwnIssuer,
		}
		s.texts += len(known.Subject) + len(known.Issuer) + len(known.Serial) + len(known.Key) + len(known.Signature)
		if len(s.found) == maxCertificates || s.texts > maxTexts {
			s.Limit()
			return
		}
		s.found[sum] = known
	}
	if path == "" || len(known.Paths) == maxPaths || slices.Contains(known.Paths, path) {
		return
	}
	if s.texts += len(path); s.texts > maxTexts {
		s.Limit()
	} else {
		known.Paths = append(known.Paths, path)
	}
}
