package watch

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/store"
	"assimilation/relay/internal/topology"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// willing is a table whose probes adopt everything at once.
type willing struct{ told int }

func (w *willing) Tell(_ tenancy.HostID, _ wire.Message, _ time.Duration, done func(error)) {
	w.told++
	done(nil)
}
func (*willing) Echo(_ tenancy.HostID, _ time.Duration, done func(bool)) { done(true) }
func (*willing) Believe([]tenancy.HostID, uplink.State, time.Time)       {}
func (*willing) Send([]byte, netip.AddrPort)                             {}
func (*willing) Up(netip.Addr) bool                                      { return true }
func (*willing) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, net.ErrClosed
}

// BenchmarkPowerOn is the cost of one of 20,000 hosts behind 400 switches that
// come one after the other.
func BenchmarkPowerOn(b *testing.B) {
	st, err := store.Open(context.Background(), b.TempDir(), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	table := &willing{}
	w, err := New(context.Background(), Config{
		Self: tenancy.NewID[tenancy.RelayID](), Store: st, Send: table, Dial: table, Links: table, Log: slog.New(slog.DiscardHandler),
		Metrics: NewMetrics(prometheus.NewRegistry()), Secret: make([]byte, 32),
	})
	if err != nil {
		b.Fatal(err)
	}
	w.table = table
	w.pace.SetLimit(1e9)
	w.pace.SetBurst(1 << 30)
	n := 0
	for b.Loop() {
		var h store.Host
		binary.BigEndian.PutUint32(h.ID.UUID[:], uint32(n+1))
		address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 1984)
		w.Observe(sessions.Known{Host: h})
		w.Place(topology.Place{Member: ring.Member{ID: ring.ID(h.ID.UUID), Domain: fmt.Sprint("switch", n/50%400), Zone: fmt.Sprint("rack", n/500%40)}, Switch: true})
		w.Observe(sessions.Greeted{Host: h, Address: address, Boot: 1})
		now := time.Now()
		for range 3 {
			for _, do := range w.mail.open() {
				do(now)
			}
			w.tick(now)
		}
		n++
	}
	b.ReportMetric(float64(table.told)/float64(n), "orders/host")
}
