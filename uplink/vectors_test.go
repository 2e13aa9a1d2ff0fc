package uplink_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"assimilation/uplink"
	"assimilation/wire"
)

var update = flag.Bool("update", false, "write testdata/vectors.txt anew; envelopes come out different each time")

const vectorsFile = "testdata/vectors.txt"

// vector is one line: expectation, what it is, name, hex. The expectation is
// "accepted" or the reason of the refusal, blanks as dashes.
type vector struct {
	expect, kind, name string
	data               []byte
}

// TestVectors decodes what the file holds, by the fixed keys of
// samples_test.go. The formats are frozen: a vector that fails is a relay or a
// service in the field that no longer understands its peer.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	vectors := readVectors(t)
	if len(vectors) < 20 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		err := decodeVector(t, v)
		if got := strings.ReplaceAll(wire.ReasonOf(err).String(), " ", "-"); got != v.expect {
			t.Errorf("%s %s: %v, want %s", v.kind, v.name, err, v.expect)
		}
	}
}

func decodeVector(t *testing.T, v vector) error {
	switch v.kind {
	case "record":
		change, err := uplink.DecodeRecord(v.data)
		if err != nil {
			return err
		}
		if again, err := uplink.EncodeRecord(change); err != nil || !bytes.Equal(again, v.data) {
			t.Errorf("record %s is encoded another way now: %x, %v", v.name, again, err)
		}
		return nil
	case "travelling":
		// Another compressor may make another frame: what is frozen is what it says.
		inline, missing, err := uplink.Inline([][]byte{v.data}, map[uplink.BodyHash][]byte{hashOf("packages", 1, baseBody): baseBody}, hashOf)
		if err != nil || len(missing) > 0 {
			return err
		}
		want := map[string][]byte{"unnamed": baseBody, "by-hash": baseBody, "by-base": nextBody}[v.name]
		hash := hashOf("packages", 1, want)
		change, err := uplink.DecodeRecord(inline[0])
		if err == nil && (!bytes.Equal(change.Body, want) || !bytes.Equal(change.Hash, hash[:])) {
			t.Errorf("record %s holds another body", v.name)
		}
		return err
	case "chain":
		chain := uplink.ChainOver(uplink.ChainStart(relayID, 1), encoded(t, samples()))
		if !bytes.Equal(chain[:], v.data) {
			t.Errorf("chain %s = %x", v.name, chain)
		}
		return nil
	case "batch":
		_, err := uplink.DecodeBatch(v.data)
		return err
	case "orders":
		_, err := uplink.DecodeOrders(v.data)
		return err
	case "orders-request":
		_, err := uplink.DecodeOrdersRequest(v.data)
		return err
	case "ack":
		_, err := uplink.DecodeAck(v.data)
		return err
	case "answer":
		_, err := uplink.DecodeAnswer(v.data)
		return err
	case "envelope":
		header, payload, err := uplink.Open(v.data, uplink.PurposeBatch, openKey(t), public)
		if err != nil {
			return err
		}
		want, _ := batch(t)
		entries, err := uplink.ReadBatch(header, payload)
		if fmt.Sprint(header) != fmt.Sprint(want) || err == nil && len(entries) != len(samples()) {
			t.Errorf("envelope %s holds %+v", v.name, header)
		}
		return err
	case "enrolment":
		_, request, err := uplink.OpenEnrolRequest(v.data, openKey(t))
		if err == nil && fmt.Sprint(request) != fmt.Sprint(enrolRequest(t)) {
			t.Errorf("enrolment %s holds another request", v.name)
		}
		return err
	}
	t.Fatalf("unknown kind %q", v.kind)
	return nil
}

func readVectors(t *testing.T) []vector {
	file, err := os.Open(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var vectors []vector
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if lines.Text() == "" || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Split(lines.Text(), " ")
		if len(fields) != 4 {
			t.Fatalf("vector line with %d fields", len(fields))
		}
		data, err := hex.DecodeString(fields[3])
		if err != nil {
			t.Fatalf("vector %s: %v", fields[2], err)
		}
		vectors = append(vectors, vector{fields[0], fields[1], fields[2], data})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func writeVectors(t *testing.T) {
	var out bytes.Buffer
	fmt.Fprintln(&out, "# expectation kind name hex; keys and values are those of samples_test.go")
	put := func(expect wire.Reason, kind, name string, data []byte) {
		fmt.Fprintf(&out, "%s %s %s %x\n", strings.ReplaceAll(expect.String(), " ", "-"), kind, name, data)
	}
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	records := encoded(t, samples())
	for i, name := range []string{"fact-put", "fact-gone", "host-state", "refusal", "token-use", "relay-state"} {
		put(wire.Accepted, "record", name, records[i])
	}
	chain := uplink.ChainOver(uplink.ChainStart(relayID, 1), records)
	put(wire.Accepted, "chain", "six-records", chain[:])
	for i, record := range encoded(t, laterSamples()) {
		put(wire.Accepted, "record", []string{"fact-list", "gap", "verdict"}[i], record)
	}
	for i, record := range encoded(t, travelling(t)) {
		put(wire.Accepted, "travelling", []string{"unnamed", "by-hash", "by-base"}[i], record)
	}
	put(wire.Malformed, "record", "not-cbor", []byte{0xff})
	put(wire.Malformed, "record", "cut", records[0][:20])
	put(wire.Malformed, "record", "tail", append(bytes.Clone(records[1]), 0))
	put(wire.Malformed, "record", "empty-map", []byte{0xa0})
	put(wire.Malformed, "record", "host-of-15-bytes", bytes.Replace(records[4], append([]byte{0x50}, hostID.UUID[:]...), append([]byte{0x4f}, hostID.UUID[:15]...), 1))
	put(wire.Unsupported, "record", "verdict-of-the-future", bytes.Replace(encoded(t, laterSamples())[2], []byte("kswitch down"), []byte("kswitch gone"), 1))
	put(wire.Unsupported, "record", "type-of-the-future", append([]byte{0xa3, 0x01, 0x01, 0x02, 0x18, 0x63, 0x04}, 0x01))

	_, payload := batch(t)
	put(wire.Accepted, "batch", "six-records", payload)
	put(wire.Malformed, "batch", "cut", payload[:40])
	put(wire.Malformed, "batch", "longer-form", append([]byte{0x98, 6}, payload[1:]...))
	put(wire.TooLarge, "batch", "too-many", []byte{0x99, 0x40, 0x01})

	put(wire.Accepted, "orders", "three-tokens", must(orders().Encode()))
	put(wire.Malformed, "orders", "no-nonce", []byte{0xa1, 0x08, 0x01})
	put(wire.Accepted, "orders", "of-a-site", must(siteOrders().Encode()))
	put(wire.Accepted, "answer", "topology", must(answer().Encode()))
	put(wire.Malformed, "answer", "no-question", []byte{0xa1, 0x05, 0x01})
	put(wire.Accepted, "orders-request", "wait", must(ordersRequest().Encode()))
	put(wire.Malformed, "orders-request", "empty", []byte{0xa0})
	put(wire.Accepted, "ack", "position-6", must(ack().Encode()))
	put(wire.Malformed, "ack", "array", []byte{0x80})

	h, payload := batch(t)
	envelope := seal(t, h, payload)
	put(wire.Accepted, "envelope", "batch", envelope)
	signed := bytes.Clone(envelope)
	signed[len(signed)-1] ^= 1
	put(wire.BadSignature, "envelope", "signature-flipped", signed)
	sealed := bytes.Clone(envelope)
	sealed[len(sealed)-100] ^= 1
	put(wire.BadSignature, "envelope", "sealed-flipped", sealed)
	newer := bytes.Clone(envelope)
	newer[4] = 2
	put(wire.Unsupported, "envelope", "version-2", newer)
	put(wire.Malformed, "envelope", "cut", envelope[:200])
	put(wire.Malformed, "envelope", "plaintext-without-compression", forge(t, nil))
	put(wire.Unsupported, "envelope", "compression-2", forge(t, []byte{2, 0}))
	request := must(enrolRequest(t).Encode())
	header := uplink.Header{Purpose: uplink.PurposeEnrol, SentAt: sentAt.UnixMilli(), Nonce: fill(16, 5)}
	put(wire.Accepted, "enrolment", "request", seal(t, header, request))
	put(wire.Malformed, "enrolment", "batch-instead", envelope)
	if err := os.WriteFile(vectorsFile, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
