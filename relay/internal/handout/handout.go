package handout

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/relay/internal/limit"
	"assimilation/uplink"
)

// Config is what a Handout needs; Metrics may be nil.
type Config struct {
	Folder string // of its own; made if it is missing
	Listen string // TCP address
	// Address is where hosts reach Listen, host:port.
	Address string
	// Fetch asks the service for a file.
	Fetch   func(ctx context.Context, name string) (io.ReadCloser, error)
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Handout is the feature; make it with Open. It is safe for concurrent use.
type Handout struct {
	config      Config
	folder      *os.Root
	certificate tls.Certificate
	keyHash     [uplink.HashSize]byte
	requests    *prometheus.CounterVec
	sources     *limit.Table[string]

	changed chan struct{} // has room for one: wanted is new
	taking  sync.Mutex    // held by Take

	mu      sync.Mutex
	wanted  []uplink.Program // as the service said last; nil: not yet
	offered []uplink.Program // all of it is here
	problem string           // why wanted is not offered
	deaf    string           // why nobody is listening
	heard   bool
}

// Open reads what was kept, and draws the key where there is none.
func Open(c Config) (*Handout, error) {
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of what hosts install: %w", err)
	}
	folder, err := os.OpenRoot(c.Folder)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of what hosts install: %w", err)
	}
	h := &Handout{
		config: c, folder: folder, changed: make(chan struct{}, 1), sources: limit.NewTable[string](perRequest, burst, maxSources),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assim_relay_install_requests_total", Help: "Requests of hosts for what installs a probe, by what became of them."}, []string{"answer"}),
	}
	if c.Metrics != nil {
		c.Metrics.MustRegister(h.requests)
	}
	if err = dropParts(folder); err == nil {
		h.certificate, h.keyHash, err = readKey(folder)
	}
	if err == nil {
		h.offered, err = readList(folder)
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return h, nil
}

// Close gives back the folder.
func (h *Handout) Close() error { return h.folder.Close() }

// Asking is what a request for orders says: which list is known, where hosts find
// the installer ("" while nobody listens), and by which key.
func (h *Handout) Asking() (programs []byte, address string, key []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hash := uplink.ProgramsHash(h.wanted)
	if h.heard && len(h.offered) > 0 {
		address = h.config.Address
	}
	return hash[:], address, h.keyHash[:]
}

// Told takes in a list of the service's.
func (h *Handout) Told(list []uplink.Program) {
	h.mu.Lock()
	h.wanted = slices.Clone(list)
	h.mu.Unlock()
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// Report is how it is, for people.
type Report struct {
	Address string `json:"address"`
	// Pin is the hash of the key, as curl --pinnedpubkey takes it.
	Pin     string `json:"pin"`
	Problem string `json:"problem,omitempty"`
	Files   []File `json:"files"`
}

// File is one that is handed out, or shall be.
type File struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
	Here    bool   `json:"here"`
}

func describe(p uplink.Program, here bool) File {
	return File{p.Name, p.Version, p.Size, hex.EncodeToString(p.Hash), here}
}

// Report is for the status pages.
func (h *Handout) Report() Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := Report{Address: h.config.Address, Pin: Pin(h.keyHash), Problem: h.deaf, Files: []File{}}
	if r.Problem == "" {
		r.Problem = h.problem
	}
	list := h.wanted
	if list == nil {
		list = h.offered
	}
	for _, p := range list {
		r.Files = append(r.Files, describe(p, h.has(p)))
	}
	return r
}

// Run hands out until ctx ends. A port that is taken, or a service that does not
// give a file, is tried again and again: neither may keep a relay from its work.
func (h *Handout) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { h.fetchAll(ctx) })
	both.Go(func() { h.listen(ctx) })
	both.Wait()
}

// listen serves as soon as it may.
func (h *Handout) listen(ctx context.Context) {
	for ctx.Err() == nil {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.config.Listen)
		if err == nil {
			h.hears("")
			err = h.serve(ctx, listener)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if h.hears(err.Error()) {
			h.config.Log.Warn("hosts cannot be given what installs a probe", "error", err)
		}
		pause(ctx, listenAgain, nil)
	}
}

// hears notes whether there is a listener, and reports whether that is news.
func (h *Handout) hears(problem string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	news := h.deaf != problem
	h.deaf, h.heard = problem, problem == ""
	return news
}

func pause(ctx context.Context, d time.Duration, woken <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-woken:
	case <-ctx.Done():
	}
}
