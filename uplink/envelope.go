package uplink

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/binary"

	"assimilation/wire"
)

const (
	magic         = "ASMU"
	version       = 1
	signedContext = "assimilation envelope\x00"
	fixedSize     = len(magic) + 1 + 2 // up to the header
)

// Seal packs, seals and signs payload. It sets KeyID in the header itself.
func Seal(h Header, payload []byte, to SealKey, signer ed25519.PrivateKey) ([]byte, error) {
	h.KeyID = KeyID(to)
	header, err := encode(h)
	if err != nil {
		return nil, err
	}
	plaintext, err := pack(payload, h.Purpose.maxPayload())
	if err != nil {
		return nil, err
	}
	sealed, err := hpke.Seal(to.key, kdf(), aead(), header, plaintext)
	if err != nil {
		return nil, err
	}
	size := fixedSize + len(header) + 4 + len(sealed) + ed25519.SignatureSize
	if size > MaxEnvelope {
		return nil, refuse(wire.TooLarge, "envelope of %d bytes exceeds %d", size, MaxEnvelope)
	}
	envelope := make([]byte, 0, size)
	envelope = append(envelope, magic...)
	envelope = append(envelope, version)
	envelope = binary.BigEndian.AppendUint16(envelope, uint16(len(header)))
	envelope = append(envelope, header...)
	envelope = binary.BigEndian.AppendUint32(envelope, uint32(len(sealed)))
	envelope = append(envelope, sealed...)
	return append(envelope, ed25519.Sign(signer, toSign(envelope))...), nil
}

// ParseHeader reads the clear part: enough to find the keys that Open needs.
// Nothing in it is proved until Open succeeds.
func ParseHeader(envelope []byte) (Header, error) {
	parts, err := split(envelope)
	return parts.header, err
}

// Open verifies and opens an envelope of the given purpose from the holder of
// sender's private key. The signature is judged before anything is decrypted,
// and the decryption before anything is expanded.
func Open(envelope []byte, purpose Purpose, key OpenKey, sender ed25519.PublicKey) (Header, []byte, error) {
	parts, err := split(envelope)
	if err != nil {
		return Header{}, nil, err
	}
	if err := parts.verify(sender); err != nil {
		return Header{}, nil, err
	}
	payload, err := parts.open(purpose, key)
	if err != nil {
		return Header{}, nil, err
	}
	return parts.header, payload, nil
}

// OpenEnrolRequest opens a relay's first envelope, which is signed with the key
// that it is about to register: the signature proves possession, not identity.
func OpenEnrolRequest(envelope []byte, key OpenKey) (Header, EnrolRequest, error) {
	parts, err := split(envelope)
	if err != nil {
		return Header{}, EnrolRequest{}, err
	}
	payload, err := parts.open(PurposeEnrol, key)
	if err != nil {
		return Header{}, EnrolRequest{}, err
	}
	request, err := decode[EnrolRequest](payload)
	if err != nil {
		return Header{}, EnrolRequest{}, err
	}
	if err := parts.verify(request.SignKey); err != nil {
		return Header{}, EnrolRequest{}, err
	}
	return parts.header, request, nil
}

// OpenEnrolAnswer opens the answer to the request whose sealed nonce is given.
// Only the holder of the tenant's key, which the token pins, can know that
// nonce. An accepting answer must moreover be signed by the site key in it.
func OpenEnrolAnswer(envelope []byte, key OpenKey, nonce []byte) (EnrolAnswer, error) {
	parts, err := split(envelope)
	if err != nil {
		return EnrolAnswer{}, err
	}
	payload, err := parts.open(PurposeEnrolAnswer, key)
	if err != nil {
		return EnrolAnswer{}, err
	}
	answer, err := decode[EnrolAnswer](payload)
	switch {
	case err != nil:
		return EnrolAnswer{}, err
	case len(nonce) != NonceSize || !bytes.Equal(answer.Nonce, nonce):
		return EnrolAnswer{}, refuse(wire.Replayed, "the answer is to another request")
	}
	if answer.Reason == wire.Accepted {
		if err := parts.verify(answer.SiteKey); err != nil {
			return EnrolAnswer{}, err
		}
	}
	return answer, nil
}

// parts are slices of one envelope.
type parts struct {
	header    Header
	info      []byte // the encoded header
	sealed    []byte
	signed    []byte // everything before the signature
	signature []byte
}

func split(envelope []byte) (parts, error) {
	switch {
	case len(envelope) > MaxEnvelope:
		return parts{}, refuse(wire.TooLarge, "envelope exceeds %d bytes", MaxEnvelope)
	case len(envelope) < fixedSize || string(envelope[:len(magic)]) != magic:
		return parts{}, malformed("not an envelope")
	case envelope[len(magic)] != version:
		return parts{}, refuse(wire.Unsupported, "envelope version %d", envelope[len(magic)])
	}
	headerSize := int(binary.BigEndian.Uint16(envelope[len(magic)+1:]))
	rest := envelope[fixedSize:]
	if headerSize > MaxHeader || len(rest) < headerSize+4 {
		return parts{}, malformed("envelope is cut or its header too long")
	}
	info, rest := rest[:headerSize], rest[headerSize:]
	sealedSize := uint64(binary.BigEndian.Uint32(rest))
	rest = rest[4:]
	if uint64(len(rest)) != sealedSize+ed25519.SignatureSize {
		return parts{}, malformed("envelope is cut or has a tail")
	}
	header, err := decode[Header](info)
	if err != nil {
		return parts{}, err
	}
	cut := len(envelope) - ed25519.SignatureSize
	return parts{header, info, rest[:sealedSize], envelope[:cut], envelope[cut:]}, nil
}

func (p parts) verify(sender ed25519.PublicKey) error {
	if len(sender) != ed25519.PublicKeySize || !ed25519.Verify(sender, toSign(p.signed), p.signature) {
		return refuse(wire.BadSignature, "the envelope is not signed by its sender")
	}
	return nil
}

func (p parts) open(purpose Purpose, key OpenKey) ([]byte, error) {
	if p.header.Purpose != purpose {
		return nil, malformed("an envelope for another purpose")
	}
	if key.key == nil || !bytes.Equal(p.header.KeyID, KeyID(key.SealKey())) {
		return nil, refuse(wire.WrongTenant, "sealed to another key")
	}
	plaintext, err := hpke.Open(key.key, kdf(), aead(), p.info, p.sealed)
	if err != nil {
		return nil, malformed("the seal is broken")
	}
	return unpack(plaintext, purpose.maxPayload())
}

// toSign binds the signature to this use of the key.
func toSign(b []byte) []byte { return append([]byte(signedContext), b...) }
