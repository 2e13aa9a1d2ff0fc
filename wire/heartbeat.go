package wire

import (
	"crypto/subtle"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/blake2s"
)

// HeartbeatSize is the length of every heartbeat, in bytes.
const HeartbeatSize = 32

const heartbeatSigned = HeartbeatSize - MACSize

// The flags of a heartbeat.
const (
	// Hears: a beat of the receiver's came within the last two intervals.
	Hears uint8 = 1 << iota
	// Leaving: the sender stops in good order; this is its last beat.
	Leaving
)

// Heartbeat is the sign of life between two ends of a ring's edge: two probes,
// or a probe and its relay.
type Heartbeat struct {
	Edge    uint32
	Counter uint64 // from 1, in each direction
	Health  uint8  // how many of the sender's last 16 beats were late
	Flags   uint8
}

// Append appends the heartbeat, HeartbeatSize bytes, with its MAC under the key
// of its edge and direction.
func (h Heartbeat) Append(dst []byte, key *[32]byte) []byte {
	return NewHeartbeatKey(key).Append(dst, h)
}

// HeartbeatEdge reads whose heartbeat it may be. Nothing is authentic yet.
func HeartbeatEdge(b []byte) (uint32, error) {
	if err := packetOfSize(b, PacketHeartbeat, HeartbeatSize); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b[2:]), nil
}

// OpenHeartbeat verifies a heartbeat under the key of its edge and direction:
// BadSignature if it was made with another, which a reflected one was. Whether
// its counter is new is for the caller to know.
func OpenHeartbeat(b []byte, key *[32]byte) (Heartbeat, error) {
	return NewHeartbeatKey(key).Open(b)
}

// HeartbeatKey is the key of one direction of an edge, made ready: it seals and
// opens without allocating. It is for one goroutine.
type HeartbeatKey struct {
	mac hash.Hash
	sum [MACSize]byte
}

// NewHeartbeatKey makes a key ready.
func NewHeartbeatKey(key *[32]byte) *HeartbeatKey {
	h, err := blake2s.New128(key[:])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	return &HeartbeatKey{mac: h}
}

// Append is Heartbeat.Append under this key.
func (k *HeartbeatKey) Append(dst []byte, h Heartbeat) []byte {
	start := len(dst)
	dst = append(dst, byte(PacketHeartbeat), Version)
	dst = binary.BigEndian.AppendUint32(dst, h.Edge)
	dst = binary.BigEndian.AppendUint64(dst, h.Counter)
	dst = append(dst, h.Health, h.Flags)
	return append(dst, k.sign(dst[start:])...)
}

// Open is OpenHeartbeat under this key.
func (k *HeartbeatKey) Open(b []byte) (Heartbeat, error) {
	if err := packetOfSize(b, PacketHeartbeat, HeartbeatSize); err != nil {
		return Heartbeat{}, err
	}
	if subtle.ConstantTimeCompare(k.sign(b[:heartbeatSigned]), b[heartbeatSigned:]) != 1 {
		return Heartbeat{}, refuse(BadSignature, "heartbeat")
	}
	return Heartbeat{
		Edge: binary.BigEndian.Uint32(b[2:]), Counter: binary.BigEndian.Uint64(b[6:]), Health: b[14], Flags: b[15],
	}, nil
}

// sign returns the MAC, which is good until the next.
func (k *HeartbeatKey) sign(signed []byte) []byte {
	k.mac.Reset()
	k.mac.Write(signed)
	return k.mac.Sum(k.sum[:0])
}

// EdgeKey derives the key of one direction of an edge, from a secret that only
// the relay has: BLAKE2s-256 keyed with the secret over "heartbeat" 0x00, edge,
// sender and receiver.
func EdgeKey(secret *[32]byte, edge uint32, from, to [IDSize]byte) [32]byte {
	text := append([]byte("heartbeat\x00"), binary.BigEndian.AppendUint32(nil, edge)...)
	text = append(append(text, from[:]...), to[:]...)
	h, err := blake2s.New256(secret[:])
	if err != nil {
		panic(err) // the secret has 32 bytes
	}
	h.Write(text)
	return [32]byte(h.Sum(nil))
}
