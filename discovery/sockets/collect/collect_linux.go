package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/rtnetlink"
	"assimilation/discovery/internal/sockdiag"
	kind "assimilation/discovery/sockets"
)

const (
	// pollConnections is how often the list of connections is read, which on
	// a busy server is much longer than that of listeners.
	pollConnections = 15 * time.Second
	// standUDP is how long a UDP socket on an ephemeral port must stand to
	// count: those of a DNS query live for milliseconds.
	standUDP = 30 * time.Second
)

// Sources is what a collector reads.
type Sources struct {
	Proc fs.FS // proc(5)
	// Held returns the inodes of the sockets that a process holds.
	Held  func(pid string) []uint32
	Route func() (rtnetlink.Conn, error)
	Diag  func() (sockdiag.Conn, error)
	Now   func() time.Time
}

// Collector polls the kernel's sockets. It remembers from poll to poll who
// holds which socket and who was a client of what.
type Collector struct {
	from            Sources
	owners          *owners
	clients         clients
	accepted        map[uint32]bool // inodes of connections that a listener accepted
	bound           standing        // ephemeral UDP sockets without a peer
	connected       standing        // and with one
	connectionsRead time.Time
}

// New returns a collector that reads the sources.
func New(from Sources) *Collector {
	return &Collector{
		from: from, owners: newOwners(from.Proc, from.Held), clients: clients{seen: map[client]clientSight{}},
		accepted: map[uint32]bool{}, bound: standing{}, connected: standing{},
	}
}

// Local returns the collector of this host's (network namespace's) sockets.
func Local() *Collector {
	return New(Sources{os.DirFS("/proc"), heldSockets, rtnetlink.Dial, sockdiag.Dial, time.Now})
}

// Kind is the kind "sockets".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect polls once and returns the one fact.
func (c *Collector) Collect(ctx context.Context) ([]discovery.Fact, error) {
	now := c.from.Now()
	found, err := c.poll(ctx, now)
	if err != nil {
		return nil, err
	}
	body, cut := found.facts(&c.clients)
	fact, err := discovery.NewFact(kind.Kind, "", body)
	if err != nil {
		return nil, err
	}
	if cut {
		return []discovery.Fact{fact}, errors.Join(&discovery.Degraded{What: "services of users who have very many: some are left out"}, c.degraded())
	}
	return []discovery.Fact{fact}, c.degraded()
}

// degraded reports the right that is missing, or that clients were forgotten.
func (c *Collector) degraded() error {
	missing, err := missingCapability(c.from.Proc)
	if err != nil {
		return err
	}
	if missing != "" {
		return &discovery.Degraded{Needs: missing, What: "the processes of other users' sockets"}
	}
	if c.clients.evicted {
		return &discovery.Degraded{What: "too many client connections: the oldest are left out"}
	}
	return nil
}

// poll reads the kernel's lists and brings the memory up to date.
func (c *Collector) poll(ctx context.Context, now time.Time) (*endpoints, error) {
	own, err := c.readAddresses()
	if err != nil {
		return nil, err
	}
	readConnections := now.Sub(c.connectionsRead) >= pollConnections-kind.PollListeners/2
	listeners, connections, err := c.readSockets(readConnections)
	if err != nil {
		return nil, err
	}
	ephemeral, err := ephemeralPorts(c.from.Proc)
	if err != nil {
		return nil, err
	}
	listeners = c.bound.filter(listeners, ephemeral, now)
	if readConnections {
		c.connectionsRead = now
		connections = c.connected.filter(c.outgoing(connections, listeners), ephemeral, now)
		c.clients.expire(now)
		c.clients.evicted = false // until this look evicts again; between two looks nothing is better
	}
	if err := c.owners.update(ctx, lookFor(listeners, connections), !readConnections, now); err != nil {
		return nil, fmt.Errorf("looking for the processes of sockets: %w", err)
	}
	found := newEndpoints()
	for _, s := range listeners {
		for _, who := range c.holders(s) {
			found.listen(who, own.listens(s))
		}
	}
	for _, s := range connections {
		for _, who := range c.holders(s) {
			c.clients.note(who, s.Protocol.String(), s.Remote, own.isPrivate(s.Remote.Addr()), now)
		}
	}
	return found, nil
}

func (c *Collector) readAddresses() (addresses, error) {
	conn, err := c.from.Route()
	if err != nil {
		return addresses{}, err
	}
	defer conn.Close()
	return readAddresses(conn)
}

// readSockets lists what is bound and waits for peers, and if asked for what
// has one.
func (c *Collector) readSockets(withConnections bool) (listeners, connections []sockdiag.Socket, err error) {
	conn, err := c.from.Diag()
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	tcp, err := sockdiag.Dump(conn, sockdiag.TCP, sockdiag.Listen)
	if err != nil {
		return nil, nil, err
	}
	udp, err := sockdiag.Dump(conn, sockdiag.UDP, sockdiag.Close)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range append(tcp, udp...) {
		if s.Local.Port() != 0 {
			listeners = append(listeners, s)
		}
	}
	if !withConnections {
		return listeners, nil, nil
	}
	if connections, err = sockdiag.Dump(conn, sockdiag.TCP, sockdiag.Established, sockdiag.CloseWait); err != nil {
		return nil, nil, err
	}
	udp, err = sockdiag.Dump(conn, sockdiag.UDP, sockdiag.Established)
	return listeners, append(connections, udp...), err
}

// outgoing leaves out the connections that a listener of this host accepted,
// also after the listener is gone.
func (c *Collector) outgoing(connections, listeners []sockdiag.Socket) []sockdiag.Socket {
	type endpoint struct {
		protocol sockdiag.Protocol
		local    netip.AddrPort
	}
	listening := make(map[endpoint]bool, len(listeners))
	for _, s := range listeners {
		local := s.Local
		if local.Addr().IsUnspecified() {
			local = netip.AddrPortFrom(netip.Addr{}, local.Port())
		}
		listening[endpoint{s.Protocol, local}] = true
	}
	accepted := map[uint32]bool{}
	out := connections[:0]
	for _, s := range connections {
		anyAddress := netip.AddrPortFrom(netip.Addr{}, s.Local.Port())
		if listening[endpoint{s.Protocol, s.Local}] || listening[endpoint{s.Protocol, anyAddress}] || s.Inode != 0 && c.accepted[s.Inode] {
			accepted[s.Inode] = true
			continue
		}
		if s.Remote.Port() != 0 {
			out = append(out, s)
		}
	}
	c.accepted = accepted
	return out
}

func lookFor(listeners, connections []sockdiag.Socket) []wanted {
	out := make([]wanted, 0, len(listeners)+len(connections))
	for _, s := range listeners {
		if s.Inode != 0 {
			out = append(out, wanted{s.Inode, true})
		}
	}
	for _, s := range connections {
		if s.Inode != 0 {
			out = append(out, wanted{s.Inode, false})
		}
	}
	return out
}

// holders returns whose socket it is; nobody while that is looked for.
func (c *Collector) holders(s sockdiag.Socket) []*identity {
	if s.Inode == 0 {
		return []*identity{kernelIdentity()}
	}
	by, known := c.owners.of(s.Inode)
	if known && len(by) == 0 {
		return []*identity{unknownIdentity(s.UID)}
	}
	return by
}
