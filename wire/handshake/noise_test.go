package handshake

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// hexBytes is a byte string that JSON carries as hexadecimal digits.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type noiseVector struct {
	Source        string   `json:"source"`
	Prologue      hexBytes `json:"prologue"`
	InitStatic    hexBytes `json:"init_static"`
	InitEphemeral hexBytes `json:"init_ephemeral"`
	RespStatic    hexBytes `json:"resp_static"`
	RespEphemeral hexBytes `json:"resp_ephemeral"`
	Hash          hexBytes `json:"handshake_hash"`
	Messages      []struct {
		Payload    hexBytes `json:"payload"`
		Ciphertext hexBytes `json:"ciphertext"`
	} `json:"messages"`
}

// TestPublishedNoiseVectors runs the published vectors of our Noise protocol
// through the state that Initiate and Respond make, and opens and seals the
// transport messages with the keys in the order that a session uses.
func TestPublishedNoiseVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/noise_ik.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Protocol string        `json:"protocol_name"`
		Vectors  []noiseVector `json:"vectors"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if file.Protocol != "Noise_IK_25519_ChaChaPoly_BLAKE2s" || len(file.Vectors) < 2 {
		t.Fatalf("%d vectors of %s", len(file.Vectors), file.Protocol)
	}
	for i, v := range file.Vectors {
		t.Logf("vector %d: %s", i, v.Source)
		responder := KeypairFrom([32]byte(v.RespStatic))
		a, err := newState(KeypairFrom([32]byte(v.InitStatic)), responder.Public[:], v.Prologue, true, bytes.NewReader(v.InitEphemeral))
		if err != nil {
			t.Fatal(err)
		}
		b, err := newState(responder, nil, v.Prologue, false, bytes.NewReader(v.RespEphemeral))
		if err != nil {
			t.Fatal(err)
		}
		check := func(n int, ciphertext, payload []byte) {
			t.Helper()
			if m := v.Messages[n]; !bytes.Equal(ciphertext, m.Ciphertext) || !bytes.Equal(payload, m.Payload) {
				t.Errorf("vector %d, message %d:\n got %x\nwant %x", i, n, ciphertext, m.Ciphertext)
			}
		}
		first, _, _, err := a.WriteMessage(nil, v.Messages[0].Payload)
		if err != nil {
			t.Fatal(err)
		}
		payload, _, _, err := b.ReadMessage(nil, first)
		if err != nil {
			t.Fatal(err)
		}
		check(0, first, payload)
		second, fromB, toB, err := b.WriteMessage(nil, v.Messages[1].Payload)
		if err != nil {
			t.Fatal(err)
		}
		payload, aSends, aReceives, err := a.ReadMessage(nil, second)
		if err != nil {
			t.Fatal(err)
		}
		check(1, second, payload)
		if len(v.Hash) > 0 && !bytes.Equal(a.ChannelBinding(), v.Hash) {
			t.Errorf("vector %d: handshake hash %x", i, a.ChannelBinding())
		}
		if aSends.UnsafeKey() != fromB.UnsafeKey() || aReceives.UnsafeKey() != toB.UnsafeKey() {
			t.Fatalf("vector %d: the ends disagree about the keys", i)
		}
		keys := [2][32]byte{aSends.UnsafeKey(), aReceives.UnsafeKey()}
		for n := 2; n < len(v.Messages); n++ {
			key := keys[n%2]
			aead, err := chacha20poly1305.New(key[:])
			if err != nil {
				t.Fatal(err)
			}
			nonce := make([]byte, 12)
			nonce[4] = byte((n - 2) / 2)
			check(n, aead.Seal(nil, nonce, v.Messages[n].Payload, nil), v.Messages[n].Payload)
		}
	}
}
