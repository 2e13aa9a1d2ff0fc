package wire

import (
	"crypto/ed25519"
	"encoding/binary"
	"slices"
	"time"
)

// Revocation is a site's word that what it has certified of some of its relays is
// void before its time. A later one replaces those before it: it lists all whose
// certificates would still be valid.
type Revocation struct {
	At        int64 // Unix ms: when the last of them was revoked
	Relays    [][IDSize]byte
	Signature [ed25519.SignatureSize]byte
}

const (
	revocationVersion = 1
	revocationDomain  = "assimilation relay revocation\x00"
	revocationHead    = 1 + 8 + 1 // version, At, how many relays
)

func (r Revocation) appendSigned(dst []byte) []byte {
	dst = append(dst, revocationVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.At))
	dst = append(dst, byte(len(r.Relays)))
	for _, id := range r.Relays {
		dst = append(dst, id[:]...)
	}
	return dst
}

func (r Revocation) signedText() []byte {
	return r.appendSigned([]byte(revocationDomain))
}

// Append appends the encoded revocation, at most MaxRevocation bytes, to dst.
func (r Revocation) Append(dst []byte) []byte {
	return append(r.appendSigned(dst), r.Signature[:]...)
}

// Sign returns the revocation with the site's signature. It has at most
// MaxRevoked relays.
func (r Revocation) Sign(siteKey ed25519.PrivateKey) Revocation {
	r.Signature = [ed25519.SignatureSize]byte(ed25519.Sign(siteKey, r.signedText()))
	return r
}

// ParseRevocation reads a revocation, without verifying it.
func ParseRevocation(b []byte) (Revocation, error) {
	if len(b) < revocationHead+ed25519.SignatureSize {
		return Revocation{}, refuse(Malformed, "revocation of %d bytes", len(b))
	}
	if b[0] != revocationVersion {
		return Revocation{}, refuse(Unsupported, "revocation version %d", b[0])
	}
	r := Revocation{At: int64(binary.BigEndian.Uint64(b[1:])), Relays: make([][IDSize]byte, b[9])}
	if len(r.Relays) > MaxRevoked || len(b) != revocationHead+len(r.Relays)*IDSize+ed25519.SignatureSize {
		return Revocation{}, refuse(Malformed, "revocation of %d relays in %d bytes", len(r.Relays), len(b))
	}
	if err := checkTime("time of a revocation", r.At); err != nil {
		return Revocation{}, err
	}
	b = b[revocationHead:]
	for i := range r.Relays {
		r.Relays[i], b = [IDSize]byte(b), b[IDSize:]
	}
	r.Signature = [ed25519.SignatureSize]byte(b)
	return r, nil
}

// Verify reports whether it is the word of the site: nil, or BadSignature.
func (r Revocation) Verify(siteKey ed25519.PublicKey) error {
	if len(siteKey) != ed25519.PublicKeySize || !ed25519.Verify(siteKey, r.signedText(), r.Signature[:]) {
		return refuse(BadSignature, "relay revocation")
	}
	return nil
}

// Allows reports why a certificate is not to be trusted all the same: Revoked.
func (r Revocation) Allows(c Certificate) error {
	if slices.Contains(r.Relays, c.Relay) {
		return refuse(Revoked, "relay certificate; the site revoked a relay last at %s", time.UnixMilli(r.At).UTC().Format(time.RFC3339))
	}
	return nil
}

// Revoke tells a probe whom its site has revoked. The probe keeps the newest.
type Revoke struct {
	Revocation []byte `cbor:"1,keyasint"` // encoded
}

func (*Revoke) messageType() MessageType { return TypeRevoke }

func (m *Revoke) check() error {
	_, err := ParseRevocation(m.Revocation)
	return err
}
