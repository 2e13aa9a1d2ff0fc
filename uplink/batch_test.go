package uplink_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

func TestRecordsComeBack(t *testing.T) {
	for _, want := range append(samples(), laterSamples()...) {
		record, err := uplink.EncodeRecord(want)
		if err != nil {
			t.Fatalf("record %d: %v", want.Seq, err)
		}
		got, err := uplink.DecodeRecord(record)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("record %d = %+v, %v, want %+v", want.Seq, got, err, want)
		}
		again, err := uplink.EncodeRecord(got)
		if err != nil || !bytes.Equal(again, record) {
			t.Errorf("record %d has two encodings", want.Seq)
		}
	}
}

func TestChainDoesNotDependOnTheCut(t *testing.T) {
	records := encoded(t, samples())
	start := uplink.ChainStart(relayID, 1)
	whole := uplink.ChainOver(start, records)
	for cut := range records {
		if got := uplink.ChainOver(uplink.ChainOver(start, records[:cut]), records[cut:]); got != whole {
			t.Errorf("cut at %d: another chain", cut)
		}
	}
	if uplink.ChainStart(relayID, 2) == start {
		t.Error("two epochs start alike")
	}
	swapped := [][]byte{records[1], records[0]}
	if uplink.ChainOver(start, swapped) == uplink.ChainOver(start, records[:2]) {
		t.Error("the chain does not see the order")
	}
}

func TestReadBatchRefuses(t *testing.T) {
	h, payload := batch(t)
	records := encoded(t, samples())
	repack := func(records [][]byte) []byte {
		payload, err := uplink.EncodeBatch(records)
		if err != nil {
			t.Fatal(err)
		}
		return payload
	}
	// rechain makes the header fit records that were exchanged.
	rechain := func(h uplink.Header, records [][]byte) uplink.Header {
		chain := uplink.ChainOver(uplink.Chain(h.Prev), records)
		h.Chain = chain[:]
		return h
	}
	shifted := h
	shifted.First, shifted.Last = 2, 7
	swapped := append([][]byte{records[1], records[0]}, records[2:]...)
	for name, c := range map[string]struct {
		header  uplink.Header
		payload []byte
		want    wire.Reason
	}{
		"whole":                 {h, payload, wire.Accepted},
		"no payload":            {h, nil, wire.Malformed},
		"one record missing":    {h, repack(records[:5]), wire.Malformed},
		"another order":         {h, repack(swapped), wire.Malformed},
		"order, chain fits":     {rechain(h, swapped), repack(swapped), wire.Malformed},
		"numbers shifted":       {shifted, payload, wire.Malformed},
		"cut":                   {h, payload[:len(payload)-1], wire.Malformed},
		"tail":                  {h, append(bytes.Clone(payload), 0), wire.Malformed},
		"empty array":           {h, []byte{0x80}, wire.Malformed},
		"no array":              {h, []byte{0x41, 0}, wire.Malformed},
		"indefinite array":      {h, []byte{0x9f, 0xff}, wire.Malformed},
		"4 billion records":     {h, []byte{0x9a, 0xff, 0xff, 0xff, 0xff}, wire.TooLarge},
		"not the shortest form": {h, append([]byte{0x98, 6}, payload[1:]...), wire.Malformed},
		"header of orders":      {uplink.NewHeader(uplink.PurposeOrders, relayID, sentAt), payload, wire.Malformed},
	} {
		_, err := uplink.ReadBatch(c.header, c.payload)
		wantReason(t, name, err, c.want)
	}
}

func TestOneBadRecordDoesNotHoldUpTheOthers(t *testing.T) {
	records := encoded(t, samples())
	records[1] = []byte{0xa1, 0x01, 0xff} // not CBOR
	h, _ := batch(t)
	chain := uplink.ChainOver(uplink.Chain(h.Prev), records)
	h.Chain = chain[:]
	payload, err := uplink.EncodeBatch(records)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := uplink.ReadBatch(h, payload)
	if err != nil {
		t.Fatal(err)
	}
	for i, entry := range entries {
		if entry.Seq != uint64(i+1) {
			t.Errorf("entry %d has sequence %d", i, entry.Seq)
		}
		if (entry.Err != nil) != (i == 1) {
			t.Errorf("entry %d: %v", i, entry.Err)
		}
	}
	wantReason(t, "bad record", entries[1].Err, wire.Malformed)
}

func TestBatchFraming(t *testing.T) {
	for _, sizes := range [][]int{{0}, {23}, {24}, {255}, {256}, {65535}, {65536}, {0, 1, 24, 256, 65536}, make([]int, uplink.MaxRecords)} {
		records, total := make([][]byte, len(sizes)), 0
		for i, size := range sizes {
			records[i] = fill(size, byte(i))
			total += size
		}
		payload, err := uplink.EncodeBatch(records)
		if err != nil {
			t.Fatal(err)
		}
		if len(payload) > uplink.BatchSize(len(records), total) {
			t.Errorf("payload of %d bytes exceeds BatchSize", len(payload))
		}
		got, err := uplink.DecodeBatch(payload)
		if err != nil || len(got) != len(records) {
			t.Fatalf("%d records = %d, %v", len(records), len(got), err)
		}
		for i := range got {
			if !bytes.Equal(got[i], records[i]) {
				t.Errorf("record %d of %d changed", i, len(records))
			}
		}
	}
	_, err := uplink.EncodeBatch(make([][]byte, uplink.MaxRecords+1))
	if err == nil {
		t.Error("too many records were packed")
	}
	_, err = uplink.EncodeBatch([][]byte{make([]byte, uplink.MaxPayload)})
	wantReason(t, "too many bytes", err, wire.TooLarge)
	_, err = uplink.DecodeRecord(make([]byte, uplink.MaxRecord+1))
	wantReason(t, "large record", err, wire.TooLarge)
}

func TestChangeCheck(t *testing.T) {
	const put, gone, state, refusal, use, relay = 0, 1, 2, 3, 4, 5
	for name, c := range map[string]struct {
		sample int
		spoil  func(*uplink.Change)
		want   wire.Reason
	}{
		"sequence 0":             {put, func(c *uplink.Change) { c.Seq = 0 }, wire.Malformed},
		"sequence of 64 bits":    {put, func(c *uplink.Change) { c.Seq = 1 << 63 }, wire.Malformed},
		"type 0":                 {put, func(c *uplink.Change) { c.Type = 0 }, wire.Unsupported},
		"type of the future":     {put, func(c *uplink.Change) { c.Type = 99 }, wire.Unsupported},
		"no time":                {put, func(c *uplink.Change) { c.SeenAt = 0 }, wire.Malformed},
		"year 10000":             {put, func(c *uplink.Change) { c.ObservedAt = 253402300800000 }, wire.Malformed},
		"no host":                {put, func(c *uplink.Change) { c.Host = tenancy.HostID{} }, wire.Malformed},
		"no kind":                {put, func(c *uplink.Change) { c.Kind = "" }, wire.Malformed},
		"kind in capitals":       {put, func(c *uplink.Change) { c.Kind = "Packages" }, wire.Malformed},
		"long kind":              {put, func(c *uplink.Change) { c.Kind = strings.Repeat("a", 33) }, wire.Malformed},
		"NUL in an instance":     {put, func(c *uplink.Change) { c.Instance = "a\x00" }, wire.Malformed},
		"long instance":          {put, func(c *uplink.Change) { c.Instance = strings.Repeat("a", 129) }, wire.Malformed},
		"no schema":              {put, func(c *uplink.Change) { c.Schema = 0 }, wire.Malformed},
		"short hash":             {put, func(c *uplink.Change) { c.Hash = c.Hash[:31] }, wire.Malformed},
		"by hash without one":    {put, func(c *uplink.Change) { c.Encoding, c.Body, c.Hash = uplink.BodyByHash, nil, nil }, wire.Malformed},
		"no version":             {put, func(c *uplink.Change) { c.Version = 0 }, wire.Malformed},
		"term of 64 bits":        {put, func(c *uplink.Change) { c.Term = 1 << 63 }, wire.Malformed},
		"no body":                {put, func(c *uplink.Change) { c.Body = nil }, wire.Malformed},
		"large body":             {put, func(c *uplink.Change) { c.Body = make([]byte, uplink.MaxBody+1) }, wire.TooLarge},
		"encoding of the future": {put, func(c *uplink.Change) { c.Encoding = 3 }, wire.Unsupported},
		"against a short hash":   {put, func(c *uplink.Change) { c.Encoding, c.Base = uplink.BodyByBase, fill(31, 1) }, wire.Malformed},
		"by base, without body":  {put, func(c *uplink.Change) { c.Encoding, c.Base, c.Body = uplink.BodyByBase, fill(32, 1), nil }, wire.Malformed},
		"by hash, with a body":   {put, func(c *uplink.Change) { c.Encoding = uplink.BodyByHash }, wire.Malformed},
		"inline with a base":     {put, func(c *uplink.Change) { c.Base = fill(32, 1) }, wire.Malformed},
		"fact with a state":      {put, func(c *uplink.Change) { c.HostState = &uplink.HostStateBody{State: uplink.Up} }, wire.Malformed},
		"gone with a body":       {gone, func(c *uplink.Change) { c.Body = []byte("{}") }, wire.Malformed},
		"gone without kind":      {gone, func(c *uplink.Change) { c.Kind = "" }, wire.Malformed},
		"no state":               {state, func(c *uplink.Change) { c.HostState = nil }, wire.Malformed},
		"state of the future":    {state, func(c *uplink.Change) { c.HostState.State = "asleep" }, wire.Unsupported},
		"new host without key":   {state, func(c *uplink.Change) { c.HostState.ProbeKey = nil }, wire.Malformed},
		"short key":              {state, func(c *uplink.Change) { c.HostState.ProbeKey = fill(31, 1) }, wire.Malformed},
		"new host without name":  {state, func(c *uplink.Change) { c.HostState.Name = "" }, wire.Malformed},
		"long name":              {state, func(c *uplink.Change) { c.HostState.Name = strings.Repeat("a", 256) }, wire.Malformed},
		"escape in a name":       {state, func(c *uplink.Change) { c.HostState.Name = "a\x1b[31m" }, wire.Malformed},
		"label without a name":   {state, func(c *uplink.Change) { c.HostState.Labels = map[string]string{"": "x"} }, wire.Malformed},
		"long label":             {state, func(c *uplink.Change) { c.HostState.Labels = map[string]string{"a": strings.Repeat("x", 257)} }, wire.Malformed},
		"state with a kind":      {state, func(c *uplink.Change) { c.Kind = "os" }, wire.Malformed},
		"refusal without reason": {refusal, func(c *uplink.Change) { c.Refusal.Reason = wire.Accepted }, wire.Malformed},
		"refusal of nothing":     {refusal, func(c *uplink.Change) { c.Refusal.Subject = "" }, wire.Malformed},
		"long detail":            {refusal, func(c *uplink.Change) { c.Refusal.Detail = strings.Repeat("a", 1025) }, wire.Malformed},
		"short token id":         {refusal, func(c *uplink.Change) { c.Token = "abc" }, wire.Malformed},
		"token id with a quote":  {refusal, func(c *uplink.Change) { c.Token = "abcDEF01234'" }, wire.Malformed},
		"use of no token":        {use, func(c *uplink.Change) { c.Token = "" }, wire.Malformed},
		"use by no host":         {use, func(c *uplink.Change) { c.Host = tenancy.HostID{} }, wire.Malformed},
		"relay without event":    {relay, func(c *uplink.Change) { c.Relay.Event = "" }, wire.Malformed},
	} {
		change := samples()[c.sample]
		c.spoil(&change)
		wantReason(t, name, change.Check(), c.want)
		if _, err := uplink.EncodeRecord(change); err == nil {
			t.Errorf("%s: encoded all the same", name)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\nb\x1b": "a b ", "grüße": "grüße", "long enough to be cut": "long enough ", "fifteen byte€": "fifteen byte", "\xff\xfe": "",
	} {
		if got := uplink.Plain(in, 12); got != want {
			t.Errorf("Plain(%q) = %q, want %q", in, got, want)
		}
	}
}
