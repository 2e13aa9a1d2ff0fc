package wire

import "encoding/binary"

// Version is the protocol version, byte 1 of every packet.
const Version = 1

// Type is byte 0 of every packet. Only append; never reuse a number.
type Type uint8

// The packets.
const (
	PacketAnnounce      Type = 1
	PacketAnnounceReply Type = 2
	PacketHandshake1    Type = 3
	PacketHandshake2    Type = 4
	PacketCookieReply   Type = 5
	PacketTransport     Type = 6
	PacketHeartbeat     Type = 7
)

var packetNames = [...]string{"", "announce", "announce reply", "handshake 1", "handshake 2", "cookie reply", "transport", "heartbeat"}

// String is the packet's name as metrics carry it.
func (t Type) String() string {
	if t == 0 || int(t) >= len(packetNames) {
		return "unknown"
	}
	return packetNames[t]
}

// PacketType reads the first two bytes of a datagram: the first step of
// whoever receives one. It refuses unknown types and versions, and what is over
// MaxDatagram.
func PacketType(b []byte) (Type, error) {
	switch {
	case len(b) < 2:
		return 0, refuse(Malformed, "datagram of %d bytes", len(b))
	case len(b) > MaxDatagram:
		return 0, refuse(TooLarge, "datagram of %d bytes", len(b))
	case b[1] != Version:
		return 0, refuse(Unsupported, "packet version %d", b[1])
	}
	t := Type(b[0])
	if t < PacketAnnounce || t > PacketHeartbeat {
		return 0, refuse(Unsupported, "packet type %d", b[0])
	}
	return t, nil
}

// ReceiverIndex reads the index by which the receiver of a Handshake2,
// CookieReply or Transport packet finds its session. Nothing is authentic yet.
func ReceiverIndex(b []byte) (uint32, error) {
	t, err := PacketType(b)
	if err != nil {
		return 0, err
	}
	at := 0
	switch t {
	case PacketHandshake2:
		at = 6
	case PacketCookieReply, PacketTransport:
		at = 2
	default:
		return 0, refuse(Malformed, "%s packet has no receiver index", t)
	}
	if len(b) < at+4 {
		return 0, refuse(Malformed, "%s packet of %d bytes", t, len(b))
	}
	return binary.BigEndian.Uint32(b[at:]), nil
}

func packetOfSize(b []byte, want Type, size int) error {
	t, err := PacketType(b)
	if err != nil {
		return err
	}
	if t != want {
		return refuse(Malformed, "%s packet where %s was expected", t, want)
	}
	if len(b) != size {
		return refuse(Malformed, "%s packet of %d bytes, not %d", t, len(b), size)
	}
	return nil
}
