package store_test

import (
	"fmt"
	"sync"
	"testing"

	"assimilation/relay/internal/store"
)

// BenchmarkDurableFacts is what a site's power-on is made of: new facts of 1 KB,
// each acknowledged when it is on disk.
func BenchmarkDurableFacts(b *testing.B) {
	s := enrolled(b)
	host := addHost(b, s)
	padding := fmt.Sprintf("%01000d", 0)
	var pending sync.WaitGroup
	b.ResetTimer()
	for i := range b.N {
		f := fact("x-bench", fmt.Sprint(i%1000), fmt.Sprintf(`{"n":%d,"p":%q}`, i, padding))
		pending.Add(1)
		s.Submit(func(tx *store.Tx) error {
			_, err := tx.PutFact(host, f, now, now)
			return err
		}, func(err error) {
			if err != nil {
				b.Error(err)
			}
			pending.Done()
		})
	}
	pending.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "facts/s")
}
