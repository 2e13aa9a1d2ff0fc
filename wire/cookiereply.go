package wire

import "encoding/binary"

// CookieReply is the answer of a receiver under load to a Handshake1: proof, to
// be brought back as mac2, that the sender's address is its own. Package
// handshake seals and opens the cookie.
type CookieReply struct {
	Receiver uint32   // sender index of the Handshake1
	Nonce    [24]byte // random
	Sealed   [MACSize + TagSize]byte
}

// CookieReplySize is less than that of any Handshake1, so that a forged sender
// address gains nothing.
const CookieReplySize = 30 + MACSize + TagSize

// Append appends the packet to dst.
func (r CookieReply) Append(dst []byte) []byte {
	dst = append(dst, byte(PacketCookieReply), Version)
	dst = binary.BigEndian.AppendUint32(dst, r.Receiver)
	dst = append(dst, r.Nonce[:]...)
	return append(dst, r.Sealed[:]...)
}

// ParseCookieReply reads a CookieReply packet. Nothing is authentic yet.
func ParseCookieReply(b []byte) (CookieReply, error) {
	if err := packetOfSize(b, PacketCookieReply, CookieReplySize); err != nil {
		return CookieReply{}, err
	}
	return CookieReply{
		Receiver: binary.BigEndian.Uint32(b[2:]),
		Nonce:    [24]byte(b[6:30]),
		Sealed:   [MACSize + TagSize]byte(b[30:]),
	}, nil
}
