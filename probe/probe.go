// Package probe is the agent on a host: it discovers the host it runs on and
// tells a relay of its site, and nobody else.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"assimilation/discovery"
	"assimilation/probe/internal/agent"
	"assimilation/probe/internal/ledger"
	"assimilation/probe/internal/memory"
	"assimilation/probe/internal/schedule"
	"assimilation/probe/internal/state"
	"assimilation/probe/internal/status"
	"assimilation/probe/internal/systemd"
	"assimilation/wire"
)

// The probe's own limits: it is a guest on its host. A fact of MaxBody fits
// twice into memoryLimit, beyond which the collector works harder rather than
// the process grow.
const (
	memoryLimit = 32 << 20
	gcPercent   = 50
	// maxThreads: one, for a second would be woken, to find nothing to do, with each
	// heartbeat that comes.
	maxThreads = 1
	// tidyEvery is how often memory that collections no longer use goes back to
	// the host; the runtime by itself keeps it for the next one, and the kernel
	// what of the program they ran.
	tidyEvery = 2 * time.Minute
)

// Config is all that can be set.
type Config struct {
	State      string   // directory of the key and the pinned site
	Token      string   // enrolment token; may be empty, or damaged
	Relays     []string // host:port each; empty: by token, then multicast
	Listen     string   // UDP address; empty: port 1984 or any
	Version    string   // of the program
	Labels     map[string]string
	Move       bool // Enrol leaves the site that the probe belongs to
	Collectors []discovery.Collector
	Log        *slog.Logger
}

// Probe is a probe that is ready to run. Close it if it is not run.
type Probe struct {
	config  Config
	dir     *state.Dir
	ledger  *ledger.Ledger
	plan    *schedule.Schedule
	agent   *agent.Agent
	started time.Time
}

// ErrLabels says that labels are more than the protocol carries.
var ErrLabels = errors.New("labels cannot be sent")

// New takes the state directory and prepares the probe.
func New(config Config) (*Probe, error) { return prepare(config, false) }

func prepare(config Config, enrolOnly bool) (*Probe, error) {
	self := hello(config.Version)
	self.Labels = config.Labels
	if _, err := wire.Marshal(&self); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLabels, err)
	}
	dir, err := state.Open(config.State)
	if err != nil {
		return nil, err
	}
	p := &Probe{config: config, dir: dir, ledger: ledger.New(), started: time.Now()}
	p.plan = schedule.New(config.Collectors, p.ledger, config.Log, memory.GiveBack)
	watchdog := systemd.FromEnvironment()
	p.agent = agent.New(agent.Config{
		Key:        dir.Key(),
		Home:       dir,
		Credential: credential(config.Token),
		Relays:     config.Relays,
		Hello:      self,
		MachineID:  machineID,
		Ledger:     p.ledger,
		Allow:      p.plan.Allow,
		Open:       opener(config),
		Resolve:    Resolve,
		Random:     mathrand.Float64,
		Alive:      func() { p.note(watchdog.Alive()) },
		AliveEvery: watchdog.Interval(),
		Quiet:      memory.GiveBack,
		Cause:      func() string { return stopCause("/run/nologin") },
		EnrolOnly:  enrolOnly,
		Log:        config.Log,
	})
	return p, nil
}

// Close gives the state directory back.
func (p *Probe) Close() error { return p.dir.Close() }

// Run discovers and reports until ctx ends, then says goodbye to the relay. It
// closes the probe.
func (p *Probe) Run(ctx context.Context) error {
	defer p.Close()
	restrain()
	manager := systemd.FromEnvironment()
	p.note(manager.Ready())
	p.config.Log.Info("probe runs", "version", p.config.Version, "state", p.config.State, "fingerprint", p.Fingerprint())

	var helpers sync.WaitGroup
	defer helpers.Wait()
	helperCtx, stop := context.WithCancel(ctx)
	defer stop()
	helpers.Go(func() { p.plan.Run(helperCtx) })
	helpers.Go(func() {
		if err := status.Serve(helperCtx, p.config.State, p.report, p.config.Log); err != nil {
			p.config.Log.Warn("status cannot be asked", "error", err)
		}
	})
	helpers.Go(func() { tidy(helperCtx) })
	err := p.agent.Run(ctx)
	p.note(manager.Stopping())
	return err
}

// Fingerprint is what a relay shows of a probe that it does not know.
func (p *Probe) Fingerprint() string {
	f := wire.Fingerprint(p.dir.Key().Public)
	return fmt.Sprintf("%x", f[:8])
}

func (p *Probe) report(ctx context.Context) (status.Report, error) {
	s, err := p.agent.Status(ctx)
	return status.Report{
		Version:  p.config.Version,
		PID:      os.Getpid(),
		Started:  p.started,
		RSSBytes: status.RSS(),
		Status:   s,
	}, err
}

// note logs a word to the service manager that did not arrive.
func (p *Probe) note(err error) {
	if err != nil {
		p.config.Log.Debug("telling the service manager", "error", err)
	}
}

// restrain sets the process's limits, unless its environment sets others.
func restrain() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" && runtime.NumCPU() > maxThreads {
		runtime.GOMAXPROCS(maxThreads)
	}
}

func tidy(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			memory.GiveBack()
		case <-ctx.Done():
			return
		}
	}
}

// Refused is the error of an enrolment that was turned down.
type Refused = agent.Refused

// ErrLocked says that another probe runs on the same state directory.
var ErrLocked = state.ErrLocked

// Enrol enrols once and remembers the site. A token that cannot be used, or a
// relay's no, is a *Refused; no answer before ctx ends is ctx's error.
func Enrol(ctx context.Context, config Config) (host string, err error) {
	if c := credential(config.Token); c.Err != nil {
		return "", errors.Join(&Refused{Reason: c.Reason}, c.Err)
	}
	p, err := prepare(config, true)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if config.Move {
		if err := p.dir.Forget(); err != nil {
			return "", err
		}
	}
	if err := p.agent.Run(ctx); err != nil {
		return "", err
	}
	return p.dir.Pin().Host.String(), nil
}

func hello(version string) wire.Hello {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "unnamed" // the relay wants a name
	}
	var boot [8]byte
	rand.Read(boot[:]) // never fails since Go 1.24
	return wire.Hello{
		AgentVersion: version,
		HostName:     discovery.Clean(name, wire.MaxHostName),
		OS:           runtime.GOOS,
		Arch:         runtime.GOARCH,
		Boot:         binary.BigEndian.Uint64(boot[:]),
	}
}
