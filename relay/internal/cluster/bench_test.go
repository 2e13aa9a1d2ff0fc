package cluster

import (
	"strings"
	"testing"

	"assimilation/relay/internal/store"
	"assimilation/uplink"
)

// How many records are acknowledged per second, on one disk and on two. Both
// relays share this machine's processors and its disk.
func BenchmarkAcknowledged(b *testing.B) {
	for name, relays := range map[string]int{"one disk": 1, "two disks": 2} {
		b.Run(name, func(b *testing.B) {
			s := newSite(b, relays)
			r := s.relays[0]
			told := make(chan error, b.N)
			detail := strings.Repeat("x", 200)
			b.ResetTimer()
			go func() {
				for range b.N {
					r.store.Submit(func(tx *store.Tx) error {
						return tx.Append(uplink.Change{Type: uplink.RelayState, SeenAt: now, Relay: &uplink.RelayBody{Event: "mark", Detail: detail}})
					}, func(err error) { told <- err })
				}
			}()
			for range b.N {
				if err := <-told; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			if relays > 1 && r.report().Degraded {
				b.Error("the copy was not waited for")
			}
		})
	}
}
