package wire

import (
	"crypto/ed25519"
	"encoding/binary"
	"time"
)

// Certificate is a site's word that an X25519 key belongs to one of its
// relays.
type Certificate struct {
	Relay     [IDSize]byte
	Site      [IDSize]byte
	Key       [32]byte // the relay's X25519 public key
	NotBefore int64    // Unix seconds, both inclusive
	NotAfter  int64
	Signature [ed25519.SignatureSize]byte
}

const (
	certificateVersion = 1
	certificateDomain  = "assimilation relay certificate\x00"
	signedSize         = CertificateSize - ed25519.SignatureSize
)

func (c Certificate) appendSigned(dst []byte) []byte {
	dst = append(dst, certificateVersion)
	dst = append(dst, c.Relay[:]...)
	dst = append(dst, c.Site[:]...)
	dst = append(dst, c.Key[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.NotBefore))
	return binary.BigEndian.AppendUint64(dst, uint64(c.NotAfter))
}

func (c Certificate) signedText() []byte {
	return c.appendSigned(append(make([]byte, 0, len(certificateDomain)+signedSize), certificateDomain...))
}

// Append appends the encoded certificate, CertificateSize bytes, to dst.
func (c Certificate) Append(dst []byte) []byte {
	return append(c.appendSigned(dst), c.Signature[:]...)
}

// Sign returns the certificate with the site's signature.
func (c Certificate) Sign(siteKey ed25519.PrivateKey) Certificate {
	c.Signature = [ed25519.SignatureSize]byte(ed25519.Sign(siteKey, c.signedText()))
	return c
}

// ParseCertificate reads a certificate, without verifying it.
func ParseCertificate(b []byte) (Certificate, error) {
	if len(b) != CertificateSize {
		return Certificate{}, refuse(Malformed, "certificate of %d bytes, not %d", len(b), CertificateSize)
	}
	if b[0] != certificateVersion {
		return Certificate{}, refuse(Unsupported, "certificate version %d", b[0])
	}
	return Certificate{
		Relay:     [IDSize]byte(b[1:17]),
		Site:      [IDSize]byte(b[17:33]),
		Key:       [32]byte(b[33:65]),
		NotBefore: int64(binary.BigEndian.Uint64(b[65:])),
		NotAfter:  int64(binary.BigEndian.Uint64(b[73:])),
		Signature: [ed25519.SignatureSize]byte(b[81:]),
	}, nil
}

// Verify reports why the certificate is not to be trusted at the time now by
// who holds the site's key: BadSignature, Expired, or ClockSkew where it is
// not valid yet.
func (c Certificate) Verify(siteKey ed25519.PublicKey, now time.Time) error {
	if len(siteKey) != ed25519.PublicKeySize || !ed25519.Verify(siteKey, c.signedText(), c.Signature[:]) {
		return refuse(BadSignature, "relay certificate")
	}
	switch t := now.Unix(); {
	case t < c.NotBefore:
		return refuse(ClockSkew, "relay certificate valid from %s", time.Unix(c.NotBefore, 0).UTC().Format(time.RFC3339))
	case t > c.NotAfter:
		return refuse(Expired, "relay certificate valid until %s", time.Unix(c.NotAfter, 0).UTC().Format(time.RFC3339))
	}
	return nil
}
