package collect

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/cdp"
	"assimilation/discovery/internal/lldp"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/rtnetlink"
	"assimilation/discovery/switchport"
)

// Bounds of what strangers can make the probe remember.
const (
	maxOfLink = 16
	maxSights = 256
)

// complain is how long a frame that was refused is spoken of.
const complain = 10 * time.Minute

// table is what was heard by each link and has not ended.
type table struct {
	links   map[int]rtnetlink.Link
	heard   map[int][]*sight
	count   int // of sights
	crowded time.Time
	refused map[int]refusal
}

// sight is one neighbour's last word.
type sight struct {
	port  switchport.Port
	frame []byte // as it came: the same again says nothing new
	ttl   time.Duration
	until time.Time
}

type refusal struct {
	why error
	at  time.Time
}

func newTable() table {
	return table{links: map[int]rtnetlink.Link{}, heard: map[int][]*sight{}, refused: map[int]refusal{}}
}

// listens reports whether what is heard on a link comes from its other end:
// hardware, and one end of a pair, but not what the host stacks on them or joins
// with a bridge of its own to guests.
func (t *table) listens(link int) bool {
	l, known := t.links[link]
	if !known || l.Loopback() || l.Hardware != unix.ARPHRD_ETHER {
		return false
	}
	switch l.Kind {
	case "", "dsa":
		return true
	case "veth":
		return t.links[l.Master].Kind != "bridge"
	}
	return false
}

// carries reports whether the link may have a neighbour now.
func carries(l rtnetlink.Link) bool {
	switch l.OperStateName() {
	case "notpresent", "down", "lowerlayerdown":
		return false
	}
	return l.Flags&unix.IFF_UP != 0
}

// complete reports whether something was heard by every link that could hear.
func (t *table) complete() bool {
	for index, l := range t.links {
		if t.listens(index) && carries(l) && len(t.heard[index]) == 0 {
			return false
		}
	}
	return true
}

// setLink takes in a link's state and reports whether the fact changes by it.
func (t *table) setLink(l rtnetlink.Link) bool {
	was, known := t.links[l.Index]
	t.links[l.Index] = l
	if carries(l) && t.listens(l.Index) {
		return known && was.Name != l.Name && len(t.heard[l.Index]) > 0
	}
	return t.forget(l.Index)
}

func (t *table) removeLink(index int) bool {
	delete(t.links, index)
	return t.forget(index)
}

// setLinks takes in the whole list.
func (t *table) setLinks(links []rtnetlink.Link) {
	clear(t.links)
	for _, l := range links {
		t.links[l.Index] = l
	}
	for index := range t.heard {
		if !t.listens(index) || !carries(t.links[index]) {
			t.forget(index)
		}
	}
}

func (t *table) forget(index int) bool {
	some := len(t.heard[index]) > 0
	t.count -= len(t.heard[index])
	delete(t.heard, index)
	delete(t.refused, index)
	return some
}

// note takes in a frame and reports whether the fact changes by it.
func (t *table) note(link int, frame []byte, now time.Time) bool {
	if !t.listens(link) || !carries(t.links[link]) {
		return false // read late, or flooded by a bridge
	}
	for _, s := range t.heard[link] {
		if bytes.Equal(s.frame, frame) {
			s.until = now.Add(s.ttl)
			return false
		}
	}
	s, err := decode(frame)
	if err != nil {
		_, known := t.refused[link]
		t.refused[link] = refusal{err, now}
		return !known
	}
	if t.own(s.port.SourceMAC) {
		return false
	}
	s.port.Interface, s.until = t.links[link].Name, now.Add(s.ttl)
	return t.put(link, s, now)
}

func decode(frame []byte) (*sight, error) {
	s := &sight{frame: bytes.Clone(frame)}
	var err error
	if len(frame) >= 14 && binary.BigEndian.Uint16(frame[12:]) == unix.ETH_P_LLDP {
		s.port, s.ttl, err = lldp.Decode(frame)
	} else {
		s.port, s.ttl, err = cdp.Decode(frame)
	}
	return s, err
}

// own reports whether a frame is the host's, come back by a cable between two
// of its links.
func (t *table) own(mac string) bool {
	for _, l := range t.links {
		if l.MAC.String() == mac {
			return true
		}
	}
	return false
}

// put replaces what the same port said before. A time to live of zero is its
// farewell.
func (t *table) put(link int, s *sight, now time.Time) bool {
	of := t.heard[link]
	at := slices.IndexFunc(of, func(o *sight) bool {
		return o.port.Protocol == s.port.Protocol && o.port.Chassis == s.port.Chassis && (o.port.Port == s.port.Port || s.port.Port == "")
	})
	switch {
	case s.ttl == 0 && at < 0:
		return false
	case s.ttl == 0:
		t.heard[link] = slices.Delete(of, at, at+1)
		t.count--
	case at >= 0:
		of[at] = s
	case len(of) >= maxOfLink, t.count >= maxSights:
		first := t.crowded.IsZero()
		t.crowded = now
		return first
	default:
		t.heard[link] = append(of, s)
		t.count++
	}
	return true
}

// expire forgets what ended and reports whether anything did.
func (t *table) expire(now time.Time) bool {
	before := t.count + len(t.refused)
	ended := func(s *sight) bool { return !now.Before(s.until) }
	for link, of := range t.heard {
		kept := slices.DeleteFunc(of, ended)
		t.count -= len(of) - len(kept)
		t.heard[link] = kept
	}
	for link, r := range t.refused {
		if now.Sub(r.at) >= complain {
			delete(t.refused, link)
		}
	}
	if !t.crowded.IsZero() && now.Sub(t.crowded) >= complain {
		t.crowded = time.Time{}
		return true
	}
	return t.count+len(t.refused) < before
}

// deadline is when the first sight ends, at most latest.
func (t *table) deadline(latest time.Time) time.Time {
	for _, of := range t.heard {
		for _, s := range of {
			if s.until.Before(latest) {
				latest = s.until
			}
		}
	}
	return latest
}

// current returns the fact's ports, and what people should know of those that
// it lacks.
func (t *table) current(now time.Time) (ports []switchport.Port, notes []string) {
	t.expire(now)
	ports = []switchport.Port{}
	for link, of := range t.heard {
		name := t.links[link].Name
		found, contradict := agree(of)
		if contradict {
			notes = append(notes, name+": CDP of several devices and no LLDP, so none is known to be at the other end")
		}
		for _, p := range found {
			p.Interface = name
			ports = append(ports, p)
		}
	}
	for link, r := range t.refused {
		notes = append(notes, t.links[link].Name+": "+r.why.Error())
	}
	if !t.crowded.IsZero() {
		notes = append(notes, "more neighbours speak than 16 of a link or 256 of the host")
	}
	slices.Sort(notes)
	order.By(ports, func(a, b *switchport.Port) int {
		return cmp.Or(cmp.Compare(a.Interface, b.Interface), cmp.Compare(a.Chassis, b.Chassis), cmp.Compare(a.Port, b.Port))
	})
	return ports, notes
}
