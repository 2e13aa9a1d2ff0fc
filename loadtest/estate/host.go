package estate

import (
	"fmt"
	"slices"
	"sort"

	"assimilation/tenancy"
)

// Host says who a host is. What it reports is told by Facts.
type Host struct {
	ID   tenancy.HostID
	Name string
	Site Site
	Role string
	OS   string // as relays say it: "linux"
	Arch string

	number  int
	at      int // as the site counts it
	app     app
	release *release
}

// The roles of hosts.
const (
	balancer   = "balancer"
	web        = "web"
	appServer  = "app"
	database   = "db"
	cache      = "cache"
	queue      = "queue"
	batch      = "batch"
	monitoring = "monitoring"
)

// tiers of an application behind its balancer, in the order of its hosts; at
// least one web, app and database, so the smallest application has those.
var tiers = []struct {
	role  string
	share float64
}{{web, .30}, {appServer, .36}, {database, .10}, {cache, .08}, {queue, .06}, {batch, .10}}

// Host tells of host n.
func (e *Estate) Host(n int) Host {
	site, at := e.place(n)
	h := Host{ID: tenancy.HostID{UUID: e.id("host", n)}, Site: e.sites[site], OS: "linux", Arch: "amd64", number: n, at: at}
	i := sort.Search(len(h.Site.apps), func(i int) bool { return h.Site.apps[i].first > at }) - 1
	h.app = h.Site.apps[i]
	switch {
	case at >= h.Site.hosts: // added later
		h.Role = batch
	case at%collectorFor == 0:
		h.Role = monitoring
	default:
		h.Role = h.app.roleOf(at - h.app.first)
	}
	h.Name = fmt.Sprintf("%s-%s%d-%05d", h.Site.Name, h.Role, i, at)
	// All hosts of an application are installed alike, but for one in twelve.
	draw := e.random(forHardware, n).IntN(12)
	app := e.id("app", h.Site.first+h.app.first)
	h.release = pickRelease(int(app[0])<<8|int(app[1]), draw == 0)
	return h
}

// place is the site of host n, and which of its hosts it is.
func (e *Estate) place(n int) (site, at int) {
	if n >= e.hosts {
		return 0, e.sites[0].hosts + n - e.hosts
	}
	site = sort.Search(len(e.sites), func(i int) bool { return e.sites[i].first > n }) - 1
	return site, n - e.sites[site].first
}

// roleOf is the role of the application's host i.
func (a app) roleOf(i int) string {
	for role, span := range a.spans {
		if span[0] <= i && i < span[1] {
			return role
		}
	}
	return batch
}

// spans yields the role and the hosts, as the application counts them, of each
// tier.
func (a app) spans(yield func(string, [2]int) bool) {
	if a.hosts <= smallestApp {
		for i, role := range []string{web, appServer, database} {
			if !yield(role, [2]int{min(i, a.hosts), min(i+1, a.hosts)}) {
				return
			}
		}
		return
	}
	if !yield(balancer, [2]int{0, 1}) {
		return
	}
	next := 1
	for _, t := range tiers {
		n := int(t.share * float64(a.hosts-1))
		if slices.Contains([]string{web, appServer, database}, t.role) {
			n = max(n, 1)
		}
		if t.role == batch {
			n = a.hosts // what is left
		}
		n = min(n, a.hosts-next)
		if !yield(t.role, [2]int{next, next + n}) {
			return
		}
		next += n
	}
}

// tier lists the application's hosts of a role, as the site counts them.
func (a app) tier(role string) (hosts []int) {
	for r, span := range a.spans {
		if r == role {
			for i := span[0]; i < span[1]; i++ {
				hosts = append(hosts, a.first+i)
			}
		}
	}
	return hosts
}

// entrance is the host that callers of the application speak to.
func (a app) entrance() int { return a.first }

// address of the site's host at. All sites number their networks alike, as those
// that were bought do.
func address(at int) string {
	return fmt.Sprintf("10.%d.%d.%d", 16+at/blockSize, at/subnetSize%250, 4+at%subnetSize)
}

func gateway(at int) string {
	return fmt.Sprintf("10.%d.%d.1", 16+at/blockSize, at/subnetSize%250)
}

func mac(n int) string {
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", n>>16&255, n>>8&255, n&255)
}

func gatewayMAC(site, at int) string {
	subnet := at / subnetSize
	return fmt.Sprintf("00:00:5e:%02x:%02x:%02x", site, subnet>>8, subnet&255)
}

// IP is the host's address.
func (h Host) IP() string { return address(h.at) }

// MAC is the hardware address of the host's network card.
func (h Host) MAC() string { return mac(h.number) }
