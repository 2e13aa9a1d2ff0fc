package uplink_test

import (
	"bytes"
	"testing"

	"assimilation/uplink"
	"assimilation/wire"
)

func TestBodiesComeBack(t *testing.T) {
	records := encoded(t, travelling(t))
	base := hashOf("packages", 1, baseBody)
	if wants := uplink.Wants(records[1:]); len(wants) != 1 || wants[0].Hash != base {
		t.Errorf("wanted are %+v, want the base once", wants)
	}
	// The first record brings the body that the others refer to.
	inline, missing, err := uplink.Inline(records, nil, hashOf)
	if err != nil || len(missing) != 0 {
		t.Fatalf("%d bodies are missing, %v", len(missing), err)
	}
	for i, want := range [][]byte{baseBody, baseBody, nextBody} {
		c, err := uplink.DecodeRecord(inline[i])
		hash := hashOf("packages", 1, want)
		if err != nil || !bytes.Equal(c.Body, want) || !bytes.Equal(c.Hash, hash[:]) || c.Base != nil || c.Encoding != uplink.BodyInline {
			t.Errorf("record %d is %+v, %v", i+1, c, err)
		}
	}
	_, missing, err = uplink.Inline(records[1:], nil, hashOf)
	if err != nil || len(missing) != 2 || uplink.BodyHash(missing[0]) != base {
		t.Errorf("without the base: %x, %v", missing, err)
	}
	_, _, err = uplink.Inline(records[2:], map[uplink.BodyHash][]byte{base: []byte("another body")}, hashOf)
	if wire.ReasonOf(err) != wire.Malformed {
		t.Errorf("against another base: %v", err)
	}
}

func TestBodiesOfABatchAreBounded(t *testing.T) {
	large := make([]byte, 6<<20)
	hash := hashOf("packages", 1, large)
	var records [][]byte
	for i := range 6 {
		c := samples()[0]
		c.Seq, c.Hash = uint64(i+1), hash[:]
		records = append(records, encoded(t, []uplink.Change{c.ByHash()})...)
	}
	_, _, err := uplink.Inline(records, map[uplink.BodyHash][]byte{hash: large}, hashOf)
	if wire.ReasonOf(err) != wire.TooLarge {
		t.Errorf("36 MiB of bodies: %v", err)
	}
}

func TestARecordOfABatchHasItsBody(t *testing.T) {
	for _, c := range travelling(t) {
		record := encoded(t, []uplink.Change{c})[0]
		h, _ := batch(t)
		h.First, h.Last = c.Seq, c.Seq
		chain := uplink.ChainNext(uplink.Chain(h.Prev), record)
		h.Chain = chain[:]
		entries, err := uplink.ReadRecords(h, [][]byte{record})
		if err != nil || entries[0].Err == nil {
			t.Errorf("record %d passes as it travels: %v", c.Seq, err)
		}
	}
}

func FuzzInline(f *testing.F) {
	for _, record := range append(encoded(f, travelling(f)), encoded(f, samples())...) {
		f.Add(record, baseBody)
	}
	f.Fuzz(func(t *testing.T, record, base []byte) {
		held := map[uplink.BodyHash][]byte{hashOf("packages", 1, baseBody): base}
		inline, missing, err := uplink.Inline([][]byte{record}, held, hashOf)
		if err != nil || len(missing) > 0 {
			return
		}
		c, err := uplink.DecodeRecord(inline[0])
		if err == nil && c.Type == uplink.FactPut && (c.Encoding != uplink.BodyInline || c.Base != nil || len(c.Hash) != uplink.HashSize) {
			t.Errorf("left as %+v", c)
		}
	})
}
