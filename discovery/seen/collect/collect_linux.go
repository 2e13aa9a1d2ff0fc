package collect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/internal/debounce"
	"assimilation/discovery/internal/frames"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/seen"
)

const (
	// Sights are gathered until none was new for quiet, at most for longest.
	quiet   = 2 * time.Second
	longest = 30 * time.Second
	// warmUp is how long the first facts wait: a probe that starts again must not
	// say that all are gone.
	warmUp = time.Minute
)

// Collector remembers who spoke on the links lately.
type Collector struct {
	dial func() (rtnetlink.Conn, error)

	mu     sync.Mutex // Watch notes frames while Collect runs
	memory memory
	since  time.Time // when listening began; zero: it did not
	failed error     // why nothing is listened to any more
}

// New returns a collector that asks the connections which dial opens for the
// host's own links and addresses.
func New(dial func() (rtnetlink.Conn, error)) *Collector {
	return &Collector{dial: dial, memory: newMemory(time.Now())}
}

// Local returns the collector of this host's (network namespace's) links.
func Local() *Collector { return New(rtnetlink.Dial) }

// Kind is the kind "seen".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the instances that hold somebody.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case errors.Is(c.failed, unix.EPERM):
		return nil, &discovery.Degraded{Needs: discovery.NetRaw, What: "who speaks on the host's links"}
	case c.failed != nil:
		return nil, c.failed
	case c.since.IsZero(), now.Sub(c.since) < warmUp:
		return nil, discovery.ErrNotYet
	}
	links, addresses, err := c.host()
	if err != nil {
		return nil, err
	}
	var facts []discovery.Fact
	bodies := c.memory.current(links, addresses, now)
	for _, instance := range slices.Sorted(maps.Keys(bodies)) {
		fact, err := discovery.NewFact(kind.Kind, instance, *bodies[instance])
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	if c.memory.full {
		c.memory.full = false
		err = &discovery.Degraded{What: "more than 65536 addresses were heard: the latest are left out"}
	}
	return facts, err
}

// host reads the host's own links and addresses.
func (c *Collector) host() ([]rtnetlink.Link, []rtnetlink.Address, error) {
	conn, err := c.dial()
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	links, err := rtnetlink.Links(conn)
	if err != nil {
		return nil, nil, err
	}
	addresses, err := rtnetlink.Addresses(conn)
	return links, addresses, err
}

// Watch listens, and calls changed when somebody new was heard.
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	err := c.listen(ctx, changed)
	if ctx.Err() != nil {
		return nil
	}
	c.mu.Lock()
	c.failed = err
	c.mu.Unlock()
	changed()
	return err
}

func (c *Collector) listen(ctx context.Context, changed func()) error {
	arp, err := frames.Open(frames.ARP)
	if err != nil {
		return err
	}
	defer arp.Close()
	nd, err := frames.Open(frames.ND)
	if err != nil {
		return err
	}
	defer nd.Close()
	c.mu.Lock()
	c.since = time.Now()
	c.mu.Unlock()
	warm := time.AfterFunc(warmUp, changed)
	defer warm.Stop()

	bursts := debounce.New(quiet, longest)
	hear := func(f frames.Frame) {
		if claim, ok := read(f.Data); ok && c.note(f.Link, claim) {
			bursts.Event()
		}
	}
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return arp.Listen(ctx, hear) })
	parts.Go(func() error { return nd.Listen(ctx, hear) })
	parts.Go(func() error { bursts.Run(ctx, changed); return nil })
	return parts.Wait()
}

func (c *Collector) note(link int, said claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memory.note(link, said, time.Now())
}
