package collect

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"assimilation/discovery"
	kind "assimilation/discovery/certificates"
	"assimilation/discovery/internal/jsontext"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/tlshello"
	"assimilation/discovery/sockets"
)

// Limits of asking listeners.
const (
	maxListeners = 64
	askWithin    = 2 * time.Second
	askAgain     = 24 * time.Hour
	// roundLasts bounds one collection. What is left is asked at the next, which is
	// soon: until then the collection is unfinished.
	roundLasts = 8 * time.Second
	// maxRounds is more than maxListeners that hang can take. Beyond, somebody makes new
	// ones all the time: what is known is told without them.
	maxRounds = 64
)

// listener is an endpoint of the host that may serve TLS.
type listener struct {
	bound string // to which address, or wildcard
	port  int64
	exe   string
	// service is its identity, as the kind "sockets" has it.
	service string
	// at is where it is asked: at loopback if it is bound to all, else at its own
	// address, which is the host's: the kernel carries both over lo.
	at netip.AddrPort
}

// answer is what a listener said, until it is asked again.
type answer struct {
	asked time.Time
	rows  []kind.Listener // none: it does not serve TLS, or refused
	// refused says why one that speaks TLS did not show its certificate.
	refused error
	chain   [][]byte // certificates in DER
}

// Follow takes the TCP listeners that are asked out of facts of the kind "sockets".
func (c *Collector) Follow(_ string, facts []discovery.Fact) {
	found := map[listener]bool{}
	for _, fact := range facts {
		body, err := jsontext.Parse(string(fact.Body))
		if err != nil {
			continue
		}
		for _, service := range body.Get("services").Items() {
			for _, l := range service.Get("listens").Items() {
				if one, is := c.listener(service.Get("exe").Text(), l); is {
					one.service = identity(service)
					found[one] = true
				}
			}
		}
	}
	all := make([]listener, 0, len(found))
	for l := range found {
		all = append(all, l)
	}
	order.By(all, func(a, b *listener) int {
		return cmp.Or(cmp.Compare(a.port, b.port), cmp.Compare(a.bound, b.bound), cmp.Compare(a.exe, b.exe), cmp.Compare(a.service, b.service), a.at.Compare(b.at))
	})
	// One that is bound to all addresses of both families is asked at one of them.
	all = slices.CompactFunc(all, func(a, b listener) bool { return a.bound == b.bound && a.port == b.port })
	c.mu.Lock()
	c.listeners = all
	c.mu.Unlock()
}

// identity is that of the service, which tells it from all others of the host.
func identity(service jsontext.Value) string {
	s := sockets.Service{Name: service.Get("name").Text(), Exe: service.Get("exe").Text(), UID: service.Get("uid").Int(), GID: service.Get("gid").Int(),
		Container: service.Get("container").Text()}
	for _, argument := range service.Get("argv").Items() {
		s.Argv = append(s.Argv, argument.Text())
	}
	return s.Identity()
}

// listener reads an endpoint; false if it is not asked. Of a wildcard only the entry
// at loopback counts, of which there is one for each family.
func (c *Collector) listener(exe string, l jsontext.Value) (listener, bool) {
	one := listener{bound: l.Get("ip").Text(), port: l.Get("port").Int(), exe: exe}
	ip, err := netip.ParseAddr(one.bound)
	if err != nil || l.Get("protocol").Text() != "tcp" || l.Get("device") != "" || ip.Zone() != "" || !c.hello.Asks(one.port) {
		return one, false
	}
	if wildcard := l.Get("wildcard").Text(); wildcard != "" {
		one.bound = wildcard
		if !ip.IsLoopback() {
			return one, false
		}
	}
	one.at = netip.AddrPortFrom(ip, uint16(one.port))
	return one, true
}

// askNew asks the listeners that are new, or were asked long ago, and forgets those
// that are gone; unfinished says that some are left.
func (c *Collector) askNew(ctx context.Context, listeners []listener) (problem error, unfinished bool) {
	if len(listeners) > maxListeners {
		listeners = listeners[:maxListeners]
		problem = &discovery.Degraded{What: "the certificates of more than 64 listeners: the others are not asked"}
	}
	began := c.now()
	kept := make(map[listener]answer, len(listeners))
	for _, l := range listeners {
		known, has := c.answers[l]
		if has && began.Sub(known.asked) < askAgain {
			kept[l] = known
			continue
		}
		if c.now().Sub(began) > roundLasts || ctx.Err() != nil {
			unfinished = true
			if has {
				kept[l] = known
			}
			continue
		}
		if said, answered := c.askOne(ctx, l); answered {
			kept[l] = said
		} else if has {
			kept[l] = known
		}
	}
	c.answers = kept
	return problem, unfinished
}

// askOne asks a listener, by no name and then by the host's; answered is false if it
// was not there, and is asked again at the next collection.
func (c *Collector) askOne(ctx context.Context, l listener) (said answer, answered bool) {
	said = answer{asked: c.now()}
	unnamed, err := c.askNamed(ctx, l, "")
	if errors.Is(err, syscall.ECONNREFUSED) {
		return said, false
	}
	if unnamed != nil {
		said.take(l, false, unnamed)
	} else if spokeTLS(err) {
		said.refused = err
	}
	// One that refused may want a name; what is not TLS is left alone.
	if c.name == "" || unnamed == nil && said.refused == nil {
		return said, true
	}
	named, err := c.askNamed(ctx, l, c.name)
	if err == nil && (unnamed == nil || !slices.EqualFunc(named.Chain, unnamed.Chain, slices.Equal)) {
		said.take(l, true, named)
		said.refused = nil
	}
	return said, true
}

// spokeTLS reports whether an error is one of a server that speaks it.
func spokeTLS(err error) bool {
	_, refused := errors.AsType[tlshello.Alert](err)
	return refused || errors.Is(err, tlshello.ErrTooFew)
}

// refusals reports that the certificates of some listeners are not known.
func (c *Collector) refusals() error {
	var refused []string
	for l, said := range c.answers {
		if said.refused != nil {
			refused = append(refused, l.at.String()+": "+said.refused.Error())
		}
	}
	if len(refused) == 0 {
		return nil
	}
	slices.Sort(refused)
	what := "the certificate of the listener at " + refused[0]
	if n := len(refused) - 1; n > 0 {
		what += ", and of " + strconv.Itoa(n) + " more"
	}
	return &discovery.Degraded{What: what}
}

func (c *Collector) askNamed(ctx context.Context, l listener, name string) (*tlshello.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return c.ask(ctx, l.at, name)
}

// take notes what a listener said.
func (a *answer) take(l listener, named bool, said *tlshello.Answer) {
	row := kind.Listener{IP: l.bound, Port: l.port, Exe: discovery.Clean(l.exe, maxPath), Service: l.service, Named: named, Protocols: said.Versions}
	for _, der := range said.Chain {
		sum := sha256.Sum256(der)
		row.Chain = append(row.Chain, discovery.Hash(sum).String())
		a.chain = append(a.chain, der)
	}
	slices.Sort(row.Protocols)
	a.rows = append(a.rows, row)
}
