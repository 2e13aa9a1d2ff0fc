package ring

import "slices"

// tries is how many places in a ring are looked at for one whose neighbours
// share no risk with a host. Of a ring where a tenth of all do, one try in five
// fails, and one host in 400,000 finds none.
const tries = 8

// putIn gives a host a place in the rings that its member names.
func (s *State) putIn(n *node, c *changes) {
	d := s.domain(n.host.Zone, n.host.Domain)
	d.insert(n, s.gap(d, n))
	n.host.place = len(d.hosts)
	d.hosts = append(d.hosts, n)
	c.touch(n)
}

// takeOut closes the ring where a host was, and the rings above where it was the
// last of its switch or zone.
func (s *State) takeOut(n *node, c *changes) {
	key := domainKey{n.host.Zone, n.host.Domain}
	d, prev := s.domains[key], n.prev
	c.touch(n)
	s.unlist(d, n)
	zone := d.parent
	if d.remove(n); d.size > 0 {
		s.part(d, prev, c)
		c.touch(prev)
		return
	}
	delete(s.domains, key)
	s.named[key.domain] = slices.DeleteFunc(s.named[key.domain], func(other *domain) bool { return other == d })
	if len(s.named[key.domain]) == 0 {
		delete(s.named, key.domain)
	}
	near := d.prev
	if zone.remove(d.node); zone.size > 0 {
		c.touch(near)
		return
	}
	delete(s.zones, key.zone)
	near = zone.prev
	s.site.remove(zone)
	c.touch(near)
}

func (s *State) unlist(d *domain, n *node) {
	last := len(d.hosts) - 1
	d.hosts[n.host.place] = d.hosts[last]
	d.hosts[n.host.place].host.place = n.host.place
	d.hosts[last] = nil
	d.hosts = d.hosts[:last]
}

// part separates two that became neighbours and share a risk, by moving the
// second, if there is a better place for it.
func (s *State) part(d *domain, n *node, c *changes) {
	second := n.next
	if !shareRisk(n, second) || shareRisk(n, second.next) {
		return
	}
	after := s.gap(d, second)
	if after == second || after == n || shareRisk(after, second) || shareRisk(second, after.next) {
		return
	}
	c.touch(second)
	d.remove(second)
	d.insert(second, after)
	c.touch(second)
}

// gap chooses the host of d that n is to follow; nil in an empty ring.
func (s *State) gap(d *domain, n *node) *node {
	if d.size < 2 {
		return d.first
	}
	after := d.first.prev
	for range tries {
		after = d.hosts[s.random.IntN(len(d.hosts))]
		if after == d.first {
			after = d.first.prev // between first and the next stand those of the ring above
		}
		if !shareRisk(after, n) && !shareRisk(n, after.next) {
			break
		}
	}
	return after
}

func shareRisk(a, b *node) bool { return a != b && a.host.Risk != "" && a.host.Risk == b.host.Risk }

// domain returns the ring of a switch, and makes it where it is new: as the last
// of its zone, and that as the last of the site.
func (s *State) domain(zone, name string) *domain {
	key := domainKey{zone, name}
	if d := s.domains[key]; d != nil {
		return d
	}
	z := s.zones[zone]
	if z == nil {
		z = &node{name: zone}
		s.zones[zone] = z
		s.site.insert(z, s.site.first.prev)
	}
	d := &domain{node: &node{name: name}}
	s.domains[key] = d
	s.named[name] = append(s.named[name], d)
	if z.size == 0 {
		z.insert(d.node, nil)
	} else {
		z.insert(d.node, z.first.prev)
	}
	return d
}
