package uplink_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"assimilation/uplink"
)

// benchRecords facts of about 1 KB each are a batch.
const benchRecords = 500

// BenchmarkEnvelope is what a batch costs: at the relay packed, sealed and signed,
// at the service verified, opened and read.
func BenchmarkEnvelope(b *testing.B) {
	records := make([][]byte, benchRecords)
	for i := range records {
		var body strings.Builder
		for p := range 14 {
			fmt.Fprintf(&body, `{"arch":"amd64","name":"lib%x","version":"%d.%d.%d-1"},`, i*p, i%7, p, i*31%97)
		}
		hash := sha256.Sum256([]byte(body.String()))
		record, err := uplink.EncodeRecord(uplink.Change{
			Seq: uint64(i + 1), Type: uplink.FactPut, Host: hostID, SeenAt: sentAt.UnixMilli(), Kind: "packages", Instance: fmt.Sprint(i),
			Schema: 1, Hash: hash[:], Term: 1, Version: uint64(i + 1), Body: []byte(`{"packages":[` + body.String() + `{}]}`),
		})
		if err != nil {
			b.Fatal(err)
		}
		records[i] = record
	}
	h, _ := batch(b)
	chain := uplink.ChainOver(uplink.Chain(h.Prev), records)
	h.Last, h.Chain = benchRecords, chain[:]
	pack := func() []byte {
		payload, err := uplink.EncodeBatch(records)
		if err != nil {
			b.Fatal(err)
		}
		return seal(b, h, payload)
	}
	envelope := pack()
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			pack()
		}
		b.ReportMetric(benchRecords*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		b.ReportMetric(float64(len(envelope))/benchRecords, "B/record")
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			header, payload, err := uplink.Open(envelope, uplink.PurposeBatch, openKey(b), public)
			if err != nil {
				b.Fatal(err)
			}
			if entries, err := uplink.ReadBatch(header, payload); err != nil || entries[benchRecords-1].Err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(benchRecords*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
}
