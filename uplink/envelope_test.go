package uplink_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/klauspost/compress/zstd"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

func wantReason(t *testing.T, what string, err error, want wire.Reason) {
	t.Helper()
	if got := wire.ReasonOf(err); got != want {
		t.Errorf("%s: %v, want reason %q", what, err, want)
	}
}

func TestEnvelopeCarriesABatch(t *testing.T) {
	h, payload := batch(t)
	envelope := seal(t, h, payload)
	if parsed, err := uplink.ParseHeader(envelope); err != nil || parsed.Relay != relayID {
		t.Fatalf("ParseHeader = %+v, %v", parsed, err)
	}
	header, opened, err := uplink.Open(envelope, uplink.PurposeBatch, openKey(t), public)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(opened, payload) {
		t.Error("the payload changed on its way")
	}
	entries, err := uplink.ReadBatch(header, opened)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range samples() {
		if entries[i].Err != nil || entries[i].Seq != want.Seq || entries[i].Change.Type != want.Type {
			t.Errorf("record %d = %+v", i, entries[i])
		}
	}
}

func TestEveryFlippedByteIsRefused(t *testing.T) {
	h, payload := batch(t)
	envelope := seal(t, h, payload)
	for i := range envelope {
		damaged := bytes.Clone(envelope)
		damaged[i] ^= 0x40
		if _, _, err := uplink.Open(damaged, uplink.PurposeBatch, openKey(t), public); err == nil {
			t.Fatalf("byte %d of %d flipped: accepted", i, len(envelope))
		}
	}
	for i := 0; i < len(envelope); i += 7 {
		if _, _, err := uplink.Open(envelope[:i], uplink.PurposeBatch, openKey(t), public); err == nil {
			t.Fatalf("cut to %d bytes: accepted", i)
		}
	}
	if _, err := uplink.ParseHeader(append(bytes.Clone(envelope), 0)); err == nil {
		t.Error("a tail was accepted")
	}
}

func TestNothingOfThePayloadShows(t *testing.T) {
	change := samples()[0]
	var canaries []string
	for i := range 20 {
		canaries = append(canaries, fmt.Sprintf("canary-%02d-%x", i, uplink.NewNonce()))
	}
	body, err := uplink.EnrolAnswer{Nonce: uplink.NewNonce(), Reason: wire.Expired, Detail: fmt.Sprint(canaries)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	change.Body = bytes.Repeat(body, 50) // long enough to be compressed
	h, _ := batch(t)
	record, err := uplink.EncodeRecord(change)
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range canaries {
		if !bytes.Contains(record, []byte(canary)) {
			t.Fatal("the record does not hold what is looked for")
		}
	}
	envelope := seal(t, h, record)
	for _, canary := range canaries {
		if bytes.Contains(envelope, []byte(canary)) {
			t.Errorf("%s shows in the envelope", canary)
		}
	}
	if bytes.Contains(envelope, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		t.Error("a zstd frame shows in the envelope")
	}
}

func TestOpenRefuses(t *testing.T) {
	h, payload := batch(t)
	envelope := seal(t, h, payload)
	other, err := uplink.NewOpenKey()
	if err != nil {
		t.Fatal(err)
	}
	stranger, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	open := func(envelope []byte, purpose uplink.Purpose, key uplink.OpenKey, sender ed25519.PublicKey) error {
		_, _, err := uplink.Open(envelope, purpose, key, sender)
		return err
	}
	newer := bytes.Clone(envelope)
	newer[4] = 2
	wantReason(t, "another purpose", open(envelope, uplink.PurposeAck, openKey(t), public), wire.Malformed)
	wantReason(t, "another tenant's key", open(envelope, uplink.PurposeBatch, other, public), wire.WrongTenant)
	wantReason(t, "no key", open(envelope, uplink.PurposeBatch, uplink.OpenKey{}, public), wire.WrongTenant)
	wantReason(t, "another signer", open(envelope, uplink.PurposeBatch, openKey(t), stranger), wire.BadSignature)
	wantReason(t, "no signer", open(envelope, uplink.PurposeBatch, openKey(t), nil), wire.BadSignature)
	wantReason(t, "newer version", open(newer, uplink.PurposeBatch, openKey(t), public), wire.Unsupported)
	wantReason(t, "too large", open(make([]byte, uplink.MaxEnvelope+1), uplink.PurposeBatch, openKey(t), public), wire.TooLarge)
	wantReason(t, "empty", open(nil, uplink.PurposeBatch, openKey(t), public), wire.Malformed)
}

func TestHeaderIsBoundToTheSeal(t *testing.T) {
	// A header changed and signed anew by the sender itself must not open: the
	// seal has the header as info.
	h, payload := batch(t)
	first := seal(t, h, payload)
	h.Last++
	second := seal(t, h, payload)
	size := int(binary.BigEndian.Uint16(first[5:]))
	mixed := append(bytes.Clone(second[:7+size]), first[7+size:len(first)-ed25519.SignatureSize]...)
	mixed = append(mixed, ed25519.Sign(signer, append([]byte("assimilation envelope\x00"), mixed...))...)
	_, _, err := uplink.Open(mixed, uplink.PurposeBatch, openKey(t), public)
	wantReason(t, "header of another envelope", err, wire.Malformed)
}

// forge seals and signs any plaintext, as a dishonest relay could.
func forge(t testing.TB, plaintext []byte) []byte {
	t.Helper()
	h, _ := batch(t)
	return forgeUnder(t, h, plaintext)
}

func forgeUnder(t testing.TB, h uplink.Header, plaintext []byte) []byte {
	t.Helper()
	template := seal(t, h, nil)
	size := int(binary.BigEndian.Uint16(template[5:]))
	to, err := hpke.MLKEM768X25519().NewPublicKey(openKey(t).SealKey().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hpke.Seal(to, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), template[7:7+size], plaintext)
	if err != nil {
		t.Fatal(err)
	}
	envelope := binary.BigEndian.AppendUint32(bytes.Clone(template[:7+size]), uint32(len(sealed)))
	envelope = append(envelope, sealed...)
	return append(envelope, ed25519.Sign(signer, append([]byte("assimilation envelope\x00"), envelope...))...)
}

func TestPlaintextsOfADishonestRelay(t *testing.T) {
	compress := func(b []byte, options ...zstd.EOption) []byte {
		encoder, err := zstd.NewWriter(nil, options...)
		if err != nil {
			t.Fatal(err)
		}
		return encoder.EncodeAll(b, []byte{1})
	}
	for name, c := range map[string]struct {
		plaintext []byte
		want      wire.Reason
	}{
		"empty":               {nil, wire.Malformed},
		"unknown compression": {[]byte{2, 1}, wire.Unsupported},
		"no zstd":             {[]byte{1, 2, 3}, wire.Malformed},
		"bomb":                {compress(make([]byte, uplink.MaxPayload+1)), wire.TooLarge},
		"two frames, a bomb":  {append(compress(make([]byte, uplink.MaxPayload)), compress(make([]byte, 1))[1:]...), wire.TooLarge},
		"window":              {compress(make([]byte, 20<<20), zstd.WithWindowSize(16<<20), zstd.WithSingleSegment(false)), wire.TooLarge},
		"plain":               {[]byte{0, 'x'}, wire.Accepted},
		"compressed":          {compress(make([]byte, uplink.MaxPayload)), wire.Accepted},
	} {
		_, _, err := uplink.Open(forge(t, c.plaintext), uplink.PurposeBatch, openKey(t), public)
		wantReason(t, name, err, c.want)
	}
}

func TestOnlyBatchesAndOrdersMayBeLarge(t *testing.T) {
	const small = 64 << 10
	for _, c := range []struct {
		purpose uplink.Purpose
		size    int
		want    wire.Reason
	}{
		{uplink.PurposeOrdersRequest, small, wire.Accepted},
		{uplink.PurposeOrdersRequest, small + 1, wire.TooLarge},
		{uplink.PurposeAck, uplink.MaxPayload, wire.TooLarge},
		{uplink.PurposeOrders, uplink.MaxPayload, wire.Accepted},
	} {
		name := fmt.Sprint(c.purpose, " of ", c.size)
		h := uplink.NewHeader(c.purpose, relayID, sentAt)
		_, err := uplink.Seal(h, make([]byte, c.size), openKey(t).SealKey(), signer)
		wantReason(t, "sealing "+name, err, c.want)
		encoder, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		bomb := forgeUnder(t, h, encoder.EncodeAll(make([]byte, c.size), []byte{1}))
		_, _, err = uplink.Open(bomb, c.purpose, openKey(t), public)
		wantReason(t, "opening "+name, err, c.want)
	}
}

func TestSealBounds(t *testing.T) {
	h, payload := batch(t)
	to := openKey(t).SealKey()
	_, err := uplink.Seal(h, make([]byte, uplink.MaxPayload+1), to, signer)
	wantReason(t, "payload", err, wire.TooLarge)
	noise := make([]byte, uplink.MaxEnvelope)
	for i := 0; i < len(noise); i += 16 {
		copy(noise[i:], uplink.NewNonce())
	}
	_, err = uplink.Seal(h, noise, to, signer)
	wantReason(t, "incompressible payload", err, wire.TooLarge)

	for name, spoil := range map[string]func(*uplink.Header){
		"no relay":              func(h *uplink.Header) { h.Relay = tenancy.RelayID{} },
		"no epoch":              func(h *uplink.Header) { h.Epoch = 0 },
		"last before first":     func(h *uplink.Header) { h.First = 9 },
		"epoch over 63 bits":    func(h *uplink.Header) { h.Epoch = 1 << 63 },
		"short chain":           func(h *uplink.Header) { h.Chain = h.Chain[:31] },
		"no prev":               func(h *uplink.Header) { h.Prev = nil },
		"short nonce":           func(h *uplink.Header) { h.Nonce = h.Nonce[:15] },
		"no time":               func(h *uplink.Header) { h.SentAt = 0 },
		"orders with positions": func(h *uplink.Header) { h.Purpose = uplink.PurposeOrders },
		"enrolment of a relay":  func(h *uplink.Header) { h.Purpose = uplink.PurposeEnrol },
	} {
		spoiled := h
		spoil(&spoiled)
		if _, err := uplink.Seal(spoiled, payload, to, signer); err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
}

func TestEnrolment(t *testing.T) {
	service, relay := openKey(t), openKey(t)
	request := enrolRequest(t)
	payload, err := request.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h := uplink.NewHeader(uplink.PurposeEnrol, tenancy.RelayID{}, sentAt)
	envelope, err := uplink.Seal(h, payload, service.SealKey(), signer)
	if err != nil {
		t.Fatal(err)
	}
	header, got, err := uplink.OpenEnrolRequest(envelope, service)
	if err != nil || got.Name != request.Name {
		t.Fatalf("OpenEnrolRequest = %+v, %v", got, err)
	}
	_, another, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err = uplink.Seal(h, payload, service.SealKey(), another)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = uplink.OpenEnrolRequest(envelope, service)
	wantReason(t, "request signed by another key than it registers", err, wire.BadSignature)

	sealAnswer := func(a uplink.EnrolAnswer, signer ed25519.PrivateKey) []byte {
		payload, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := uplink.Seal(header.Answer(sentAt), payload, relay.SealKey(), signer)
		if err != nil {
			t.Fatal(err)
		}
		return envelope
	}
	answer := enrolAnswer()
	if got, err := uplink.OpenEnrolAnswer(sealAnswer(answer, signer), relay, request.Nonce); err != nil || got.Relay != relayID {
		t.Errorf("OpenEnrolAnswer = %+v, %v", got, err)
	}
	_, err = uplink.OpenEnrolAnswer(sealAnswer(answer, another), relay, request.Nonce)
	wantReason(t, "answer not signed by the site key in it", err, wire.BadSignature)
	_, err = uplink.OpenEnrolAnswer(sealAnswer(answer, signer), relay, fill(16, 99))
	wantReason(t, "answer to another request", err, wire.Replayed)
	refusal := uplink.EnrolAnswer{Reason: wire.UsedUp, Detail: "spent", Nonce: request.Nonce}
	if got, err := uplink.OpenEnrolAnswer(sealAnswer(refusal, another), relay, request.Nonce); err != nil || got.Reason != wire.UsedUp {
		t.Errorf("refusal = %+v, %v", got, err)
	}
}

func TestAnswersNumberFollowsItsRequests(t *testing.T) {
	h := uplink.NewHeader(uplink.PurposeOrdersRequest, relayID, sentAt)
	a := h.Answer(sentAt)
	if a.Purpose != uplink.PurposeOrders || !bytes.Equal(a.Nonce, h.Nonce) || a.Relay != h.Relay {
		t.Errorf("Answer = %+v", a)
	}
	if bytes.Equal(h.Nonce, uplink.NewHeader(uplink.PurposeOrdersRequest, relayID, sentAt).Nonce) {
		t.Error("two requests have one nonce")
	}
}

func TestKeys(t *testing.T) {
	key := openKey(t)
	raw, err := key.Bytes()
	if err != nil || !bytes.Equal(raw, fill(32, 9)) {
		t.Fatalf("Bytes = %x, %v", raw, err)
	}
	parsed, err := uplink.ParseSealKey(key.SealKey().Bytes())
	if err != nil || parsed.Hash() != key.SealKey().Hash() {
		t.Fatalf("ParseSealKey: %v", err)
	}
	for _, size := range []int{0, 31, 33, 1215, 1217} {
		if _, err := uplink.ParseSealKey(make([]byte, size)); err == nil {
			t.Errorf("public key of %d bytes accepted", size)
		}
	}
	if _, err := uplink.ParseSealKey(fill(1216, 0xff)); err == nil {
		t.Error("a public key out of range was accepted") // FIPS 203, 7.2: coefficients below q
	}
	if _, err := uplink.ParseOpenKey(fill(31, 1)); err == nil {
		t.Error("a short private key was accepted")
	}
}
