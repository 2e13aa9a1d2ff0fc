// Package estate makes up a large estate, deterministically: sites, subnets,
// applications of tiers that depend on each other, and for each host the facts
// that its probe would report on any day of the estate's life. The same seed
// gives the same estate, to the byte.
//
//	site (realm of its own) -> subnets of 250 hosts
//	     -> applications of 3 to 1500 hosts, heavy-tailed
//	        balancer -> web -> app -> database, cache, queue <- batch
//	                           app -> balancers of popular applications
//	     -> infrastructure: one log collector for 2000 hosts
//
// From one day to the next some hosts upgrade packages, open a port, or are new.
package estate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/google/uuid"

	"assimilation/tenancy"
)

// Shape of the estate.
const (
	subnetSize   = 250    // hosts of a /24
	blockSize    = 62_500 // hosts of a /16
	collectorFor = 2000   // hosts that one log collector serves
	smallestApp  = 3
	largestApp   = 1500
	addedPerDay  = 1000 // one host in so many is added each day
	popularity   = 1.1  // exponent of how calls between applications are spread
)

// shares of the sites but the first, in percent of all hosts.
var shares = []int{18, 13, 10, 8, 7, 5, 4, 3, 2, 1, 1}

// Site is a place with an address space of its own.
type Site struct {
	ID    tenancy.SiteID
	Relay tenancy.RelayID
	Name  string

	first, hosts int // number of its first host; hosts on the first day
	apps         []app
}

// app is an application: neighbouring hosts of a site.
type app struct {
	first, hosts int   // as the site counts them
	calls        []int // other applications
}

// Estate is the whole. It is safe for use by many goroutines.
type Estate struct {
	seed     uint64
	hosts    int // on the first day
	sites    []Site
	packages *packageSets
	files    *fileSets
}

// New makes an estate of so many hosts on its first day.
func New(hosts int, seed uint64) (*Estate, error) {
	if hosts < 100 || hosts > 1_000_000 {
		return nil, fmt.Errorf("an estate has 100 to 1000000 hosts, not %d", hosts)
	}
	e := &Estate{seed: seed, hosts: hosts, packages: newPackageSets(), files: newFileSets()}
	rest := hosts
	for _, share := range shares {
		rest -= hosts * share / 100
	}
	first := 0
	for i, n := 0, rest; ; i++ {
		if n >= smallestApp {
			s := Site{ID: tenancy.SiteID{UUID: e.id("site", i)}, Relay: tenancy.RelayID{UUID: e.id("relay", i)}, Name: fmt.Sprintf("site-%02d", i+1), first: first, hosts: n}
			s.plan(rand.New(rand.NewPCG(seed, uint64(i)<<32)))
			e.sites = append(e.sites, s)
			first += n
		}
		if i == len(shares) {
			break
		}
		n = hosts * shares[i] / 100
	}
	e.hosts = first
	return e, nil
}

// Sites lists the sites.
func (e *Estate) Sites() []Site { return e.sites }

// Hosts is how many hosts there are on a day. They are numbered from 0, and keep
// their numbers.
func (e *Estate) Hosts(day int) int { return e.hosts + day*(e.hosts/addedPerDay) }

// plan cuts the site into applications, and says which calls which.
func (s *Site) plan(random *rand.Rand) {
	for at := 0; at < s.hosts; {
		// Pareto with exponent 1.2: most are small, a few have hundreds of hosts.
		n := min(int(smallestApp/math.Pow(1-random.Float64(), 1/1.2)), largestApp)
		if s.hosts-at-n < smallestApp {
			n = s.hosts - at
		}
		s.apps = append(s.apps, app{first: at, hosts: n})
		at += n
	}
	popular := rand.NewZipf(random, popularity, 1, uint64(len(s.apps)-1))
	for i := range s.apps {
		for range random.IntN(4) {
			if other := int(popular.Uint64()); other != i {
				s.apps[i].calls = append(s.apps[i].calls, other)
			}
		}
	}
}

// id derives an identifier from the estate's seed.
func (e *Estate) id(what string, n int) uuid.UUID {
	text := binary.BigEndian.AppendUint64([]byte(what), e.seed)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(text, uint64(n)))
	u := uuid.UUID(sum[:16])
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // version 8, RFC 9562
	return u
}

// random draws for one purpose of one host: what is drawn for another purpose, or
// another host, changes nothing.
func (e *Estate) random(purpose, host int) *rand.Rand {
	return rand.New(rand.NewPCG(e.seed^uint64(purpose)<<48, uint64(host)))
}

// Purposes of random.
const (
	forHardware = iota + 1
	forNetwork
	forServices
	forPackages
	forDays
	forWithin
)
