package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
)

// Announce is what a probe sends to find a relay, and what it repeats while it
// is stuck. It is padded so that no answer can be longer than the question.
type Announce struct {
	Reason      Reason   // why the probe is stuck; Accepted: it is not
	Fingerprint [32]byte // see Fingerprint
	SiteHint    [8]byte  // see SiteHint; zero: the probe knows no site
	Nonce       [8]byte  // comes back in the reply
}

// Fingerprint names a probe before it is enrolled: SHA-256 of its X25519
// public key.
func Fingerprint(public [32]byte) [32]byte { return sha256.Sum256(public[:]) }

// SiteHint is the start of SHA-256 of a site's key. A relay of another site
// answers all the same: its certificate is how the probe learns that it asked
// the wrong one.
func SiteHint(siteKey ed25519.PublicKey) [8]byte {
	h := sha256.Sum256(siteKey)
	return [8]byte(h[:8])
}

// Append appends the packet to dst.
func (a Announce) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, byte(PacketAnnounce), Version)
	dst = binary.BigEndian.AppendUint16(dst, uint16(a.Reason))
	dst = append(dst, a.Fingerprint[:]...)
	dst = append(dst, a.SiteHint[:]...)
	dst = append(dst, a.Nonce[:]...)
	return append(dst, make([]byte, AnnounceSize-(len(dst)-start))...)
}

// ParseAnnounce reads an Announce packet. The padding is not looked at, so that
// later fields can live there.
func ParseAnnounce(b []byte) (Announce, error) {
	if err := packetOfSize(b, PacketAnnounce, AnnounceSize); err != nil {
		return Announce{}, err
	}
	return Announce{
		Reason:      Reason(binary.BigEndian.Uint16(b[2:])),
		Fingerprint: [32]byte(b[4:36]),
		SiteHint:    [8]byte(b[36:44]),
		Nonce:       [8]byte(b[44:52]),
	}, nil
}
