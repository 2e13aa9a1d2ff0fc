package wire_test

import (
	"crypto/ed25519"
	"testing"

	"assimilation/wire"
)

func TestRevocation(t *testing.T) {
	site := siteKey.Public().(ed25519.PublicKey)
	parsed, err := wire.ParseRevocation(revocation().Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := parsed.Verify(site); err != nil {
		t.Error(err)
	}
	if err := parsed.Allows(certificate()); wire.ReasonOf(err) != wire.Revoked {
		t.Errorf("the certificate of a revoked relay: %v", err)
	}
	other := certificate()
	other.Relay[0]++
	if err := parsed.Allows(other); err != nil {
		t.Errorf("the certificate of another relay: %v", err)
	}
	for name, change := range map[string]func(*wire.Revocation){
		"a relay taken off": func(r *wire.Revocation) { r.Relays = r.Relays[1:] },
		"another relay":     func(r *wire.Revocation) { r.Relays[0][3]++ },
		"another time":      func(r *wire.Revocation) { r.At++ },
		"another signature": func(r *wire.Revocation) { r.Signature[9] ^= 1 },
	} {
		r := revocation()
		change(&r)
		if err := r.Verify(site); wire.ReasonOf(err) != wire.BadSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := parsed.Verify(site[:31]); wire.ReasonOf(err) != wire.BadSignature {
		t.Errorf("no key: %v", err)
	}
	if n := len((wire.Revocation{Relays: make([][16]byte, wire.MaxRevoked)}).Append(nil)); n != wire.MaxRevocation {
		t.Errorf("the longest has %d bytes", n)
	}
}
