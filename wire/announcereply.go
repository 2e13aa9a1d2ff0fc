package wire

import "encoding/binary"

// AnnounceReply is a relay's answer to an Announce: its certificate. It proves
// nothing by itself; the handshake does.
type AnnounceReply struct {
	Flags       uint16  // HintRetired; the others are sent as 0, ignored
	Nonce       [8]byte // of the announce
	Certificate Certificate
}

// HintRetired says that the announce hints at a key that was the site's and is no
// more. Nobody has signed that: it is for people, and changes nothing.
const HintRetired uint16 = 1 << 0

const announceReplySize = 12 + CertificateSize

// Append appends the packet to dst.
func (r AnnounceReply) Append(dst []byte) []byte {
	dst = append(dst, byte(PacketAnnounceReply), Version)
	dst = binary.BigEndian.AppendUint16(dst, r.Flags)
	dst = append(dst, r.Nonce[:]...)
	return r.Certificate.Append(dst)
}

// ParseAnnounceReply reads an AnnounceReply packet. The certificate still has
// to be verified.
func ParseAnnounceReply(b []byte) (AnnounceReply, error) {
	if err := packetOfSize(b, PacketAnnounceReply, announceReplySize); err != nil {
		return AnnounceReply{}, err
	}
	c, err := ParseCertificate(b[12:])
	if err != nil {
		return AnnounceReply{}, err
	}
	return AnnounceReply{
		Flags:       binary.BigEndian.Uint16(b[2:]),
		Nonce:       [8]byte(b[4:12]),
		Certificate: c,
	}, nil
}
