package uplink_test

import (
	"bytes"
	"testing"

	"assimilation/uplink"
	"assimilation/wire"
)

func FuzzParseHeader(f *testing.F) {
	h, payload := batch(f)
	f.Add(seal(f, h, payload))
	f.Add([]byte("ASMU\x01\x00\x00"))
	f.Add([]byte("ASMU\x01\xff\xff\xa0\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, envelope []byte) {
		header, err := uplink.ParseHeader(envelope)
		if err == nil && header.Check() != nil {
			t.Errorf("a header came through that Check refuses: %+v", header)
		}
	})
}

// FuzzOpen seals the fuzzed bytes as a dishonest relay would, so that what lies
// behind the seal is reached too, and opens them raw.
func FuzzOpen(f *testing.F) {
	h, payload := batch(f)
	f.Add(append([]byte{0}, payload...))
	f.Add(seal(f, h, payload))
	f.Add([]byte{1, 0x28, 0xb5, 0x2f, 0xfd, 0, 0})
	f.Fuzz(func(t *testing.T, input []byte) {
		if _, _, err := uplink.Open(input, uplink.PurposeBatch, openKey(t), public); err == nil && !bytes.HasPrefix(input, []byte("ASMU")) {
			t.Error("opened what is no envelope")
		}
		header, payload, err := uplink.Open(forge(t, input), uplink.PurposeBatch, openKey(t), public)
		if err != nil {
			return
		}
		if len(payload) > uplink.MaxPayload {
			t.Errorf("payload of %d bytes", len(payload))
		}
		if _, err := uplink.ReadBatch(header, payload); err == nil && len(payload) == 0 {
			t.Error("a batch of nothing was read")
		}
	})
}

func FuzzDecodeBatch(f *testing.F) {
	_, payload := batch(f)
	f.Add(payload)
	f.Add([]byte{0x9a, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x81, 0x5a, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		records, err := uplink.DecodeBatch(payload)
		if err != nil {
			return
		}
		again, err := uplink.EncodeBatch(records)
		if err != nil || !bytes.Equal(again, payload) {
			t.Errorf("a batch has two forms: %x and %x, %v", payload, again, err)
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	for _, record := range encoded(f, append(samples(), laterSamples()...)) {
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		change, err := uplink.DecodeRecord(record)
		if err != nil {
			if wire.ReasonOf(err) == wire.Accepted {
				t.Errorf("refused for no reason: %v", err)
			}
			return
		}
		if _, err := uplink.EncodeRecord(change); err != nil {
			t.Errorf("decoded, but cannot be encoded: %v", err)
		}
	})
}

func FuzzDecodeOrders(f *testing.F) {
	for _, o := range []uplink.Orders{orders(), siteOrders()} {
		payload, err := o.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		o, err := uplink.DecodeOrders(payload)
		if err != nil {
			return
		}
		if _, err := o.Encode(); err != nil {
			t.Errorf("decoded, but cannot be encoded: %v", err)
		}
	})
}

// FuzzDecodeMessages covers the small messages of both directions.
func FuzzDecodeMessages(f *testing.F) {
	for _, encode := range []func() ([]byte, error){enrolRequest(f).Encode, enrolAnswer().Encode, ordersRequest().Encode, ack().Encode, answer().Encode} {
		payload, err := encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if r, err := uplink.DecodeOrdersRequest(payload); err == nil && r.Check() != nil {
			t.Error("an orders request came through that Check refuses")
		}
		if a, err := uplink.DecodeAck(payload); err == nil && a.Check() != nil {
			t.Error("an acknowledgement came through that Check refuses")
		}
		if a, err := uplink.DecodeAnswer(payload); err == nil && a.Check() != nil {
			t.Error("an answer came through that Check refuses")
		}
	})
}
