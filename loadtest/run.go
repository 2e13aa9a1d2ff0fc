package loadtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"assimilation/tenancy"
	"assimilation/wire/handshake"
)

// Config of a run.
type Config struct {
	Relay   netip.AddrPort // UDP, on loopback
	HTTP    string         // of the relay, host:port
	Token   tenancy.Token  // for probes
	Probes  int
	Sockets int
	Seed    uint64
	Faults  Faults
	Attack  Attack        // beside the probes; Rate 0: none
	Within  time.Duration // for all of it
	// Beats has the probes take part in rings; Stay is for how long they go on after
	// all is durable.
	Beats bool
	Stay  time.Duration
	// Service waits until the service has acknowledged all records, too.
	Service bool
	Out     io.Writer
}

// Result is what a run has found.
type Result struct {
	Enrolled, Durable, Acked time.Duration // since power-on, for the last probe
	Facts                    int64
	Beats, Reports           int64
	Retransmitted            uint64
	Datagrams                uint64 // sent by probes in sessions
	Handshakes, Cookies      int64
	Lost                     int64 // sessions
	Refused                  string
	RelayCPU                 time.Duration // until all is durable
	RelayRSS                 int64         // the highest seen
	AttackRate               float64       // packets per second really sent
	Dropped                  map[string]float64
}

// ErrLate: not everything was done in time.
var ErrLate = errors.New("not everything was done in time")

const pollEvery = 250 * time.Millisecond

// Run powers all probes on at once and waits until the relay, and if asked for
// the service, has everything.
func Run(ctx context.Context, c Config) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Within)
	defer cancel()
	counts := &Counts{}
	lanes, err := c.lanes(counts)
	if err != nil {
		return Result{}, err
	}
	before, err := Ask(ctx, c.HTTP)
	if err != nil {
		return Result{}, err
	}
	var result Result
	working, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	ended := sync.OnceFunc(func() { stop(); running.Wait() })
	defer ended()
	var enemy *attacker
	attacked := time.Now()
	if c.Attack.Rate > 0 {
		certificate, err := certificateOf(ctx, c.Relay)
		if err != nil {
			return result, err
		}
		if enemy, err = newAttacker(c.Attack, c.Relay, certificate.Key); err != nil {
			return result, err
		}
		attacked = time.Now()
		running.Go(func() { enemy.run(working) })
		fmt.Fprintf(c.Out, "%d Handshake1 packets per second from %d addresses, genuine: %v\n", c.Attack.Rate, c.Attack.Sources, c.Attack.Genuine)
	}
	started := time.Now()
	for _, l := range lanes {
		running.Go(func() { l.run(working) })
	}
	fmt.Fprintf(c.Out, "%d probes powered on behind %d sockets; loss %g %%, duplication %g %%, reordering %g %%\n",
		c.Probes, c.Sockets, c.Faults.Loss, c.Faults.Duplicate, c.Faults.Reorder)
	err = c.watch(ctx, counts, started, before, &result)
	if enemy != nil {
		result.AttackRate = float64(enemy.Sent.Load()) / time.Since(attacked).Seconds()
	}
	ended()
	for _, l := range lanes {
		for _, p := range l.probes {
			p.drop()
		}
	}
	result.Facts, result.Lost, result.Refused = counts.Facts.Load(), counts.Lost.Load(), counts.Refused()
	result.Beats, result.Reports = counts.Beats.Load(), counts.Reports.Load()
	result.Handshakes, result.Cookies = counts.Handshakes.Load(), counts.Cookies.Load()
	result.Retransmitted, result.Datagrams = counts.links.Retransmitted, counts.links.Sent
	return result, err
}

// watch polls until everything is done.
func (c Config) watch(ctx context.Context, counts *Counts, started time.Time, before Cost, result *Result) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	told := started
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %d of %d probes enrolled, %d durable", ErrLate, counts.Enrolled.Load(), c.Probes, counts.Durable.Load())
		}
		cost, err := Ask(ctx, c.HTTP)
		if err != nil {
			return err
		}
		since := time.Since(started)
		result.RelayRSS = max(result.RelayRSS, cost.RSS)
		if result.Enrolled == 0 && counts.Enrolled.Load() >= int64(c.Probes) {
			result.Enrolled = since
		}
		if result.Durable == 0 {
			result.RelayCPU = cost.CPU - before.CPU
			result.Dropped = map[string]float64{}
			for reason, n := range cost.Dropped {
				if n > before.Dropped[reason] {
					result.Dropped[reason] = n - before.Dropped[reason]
				}
			}
			if counts.Durable.Load() >= int64(c.Probes) {
				result.Durable = since
			}
		}
		if time.Since(told) >= 5*time.Second {
			told = time.Now()
			fmt.Fprintf(c.Out, "%6.1f s: %d enrolled, %d durable, %d facts; relay %.1f s CPU, %d MB, %d records wait for the service\n", since.Seconds(),
				counts.Enrolled.Load(), counts.Durable.Load(), counts.Facts.Load(), (cost.CPU - before.CPU).Seconds(), cost.RSS>>20, cost.Backlog)
		}
		if result.Durable > 0 && (!c.Service || cost.Backlog == 0) {
			if c.Service && result.Acked == 0 {
				result.Acked = since
			}
			if since < result.Durable+c.Stay {
				continue
			}
			return nil
		}
	}
}

func (c Config) lanes(counts *Counts) ([]*lane, error) {
	inventory, err := newInventories()
	if err != nil {
		return nil, err
	}
	lanes := make([]*lane, c.Sockets)
	for i := range lanes {
		local := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i)}), 0)
		if lanes[i], err = newLane(local, c.Relay, c.Faults, c.Seed+uint64(i)); err != nil {
			return nil, err
		}
		lanes[i].beats = c.Beats
	}
	random := mrand.New(mrand.NewPCG(c.Seed, 4))
	for n := range c.Probes {
		key, err := handshake.NewKeypair(rand.Reader)
		if err != nil {
			return nil, err
		}
		facts, err := inventory.of(n, random)
		if err != nil {
			return nil, err
		}
		l := lanes[n%len(lanes)]
		l.probes = append(l.probes, &probe{
			lane: l, count: counts, token: c.Token, name: fmt.Sprintf("load%05d", n), key: key, facts: facts, place: -1,
		})
	}
	return lanes, nil
}

// Print writes the figures down.
func (r Result) Print(out io.Writer, c Config) {
	var b strings.Builder
	fmt.Fprintf(&b, "all enrolled after %.1f s, all durable at the relay after %.1f s", r.Enrolled.Seconds(), r.Durable.Seconds())
	if c.Service {
		fmt.Fprintf(&b, ", all acknowledged by the service after %.1f s", r.Acked.Seconds())
	}
	fmt.Fprintf(&b, "\n%d facts; %d chunks sent again in %d datagrams; %d handshakes, %d cookies, %d sessions lost; refused: %s\n",
		r.Facts, r.Retransmitted, r.Datagrams, r.Handshakes, r.Cookies, r.Lost, r.Refused)
	fmt.Fprintf(&b, "relay: %.1f s of CPU, at most %d MB of memory\n", r.RelayCPU.Seconds(), r.RelayRSS>>20)
	if c.Beats {
		fmt.Fprintf(&b, "%d heartbeats, %d reports\n", r.Beats, r.Reports)
	}
	if c.Attack.Rate > 0 {
		fmt.Fprintf(&b, "attack: %.0f packets per second\n", r.AttackRate)
	}
	var drops []string
	for reason, n := range r.Dropped {
		drops = append(drops, fmt.Sprintf("%s %.0f", reason, n))
	}
	slices.Sort(drops)
	fmt.Fprintf(&b, "dropped by the relay: %s\n", strings.Join(drops, ", "))
	_, _ = io.WriteString(out, b.String()) // figures of a run that is over
}

// Flood sends an attack alone, for a time, and prints what it costs the relay.
func Flood(ctx context.Context, c Config, lasts time.Duration) error {
	certificate, err := certificateOf(ctx, c.Relay)
	if err != nil {
		return err
	}
	enemy, err := newAttacker(c.Attack, c.Relay, certificate.Key)
	if err != nil {
		return err
	}
	before, err := Ask(ctx, c.HTTP)
	if err != nil {
		return err
	}
	flooding, stop := context.WithTimeout(ctx, lasts)
	defer stop()
	enemy.run(flooding)
	after, err := Ask(ctx, c.HTTP)
	if err != nil {
		return err
	}
	seen := after.Dropped["handshake without a cookie"] - before.Dropped["handshake without a cookie"]
	fmt.Fprintf(c.Out, "flood: %d first messages in %v from %d addresses; %.0f answered by a cookie\n", enemy.Sent.Load(), lasts, c.Attack.Sources, seen)
	fmt.Fprintf(c.Out, "relay: %.1f µs of CPU per datagram sent; memory %d MB before, %d MB after\n",
		(after.CPU-before.CPU).Seconds()*1e6/float64(enemy.Sent.Load()), before.RSS>>20, after.RSS>>20)
	return nil
}
