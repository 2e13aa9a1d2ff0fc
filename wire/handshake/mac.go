package handshake

import (
	"crypto/hmac"

	"golang.org/x/crypto/blake2s"

	"assimilation/wire"
)

// macLabel is WireGuard's LABEL_MAC1 (§5.4.4 of its paper).
const macLabel = "mac1----"

// CheckMAC1 reports whether the handshake packet's mac1 was made for the owner
// of the public key. It costs two hashes and is asked before anything else, so
// that who does not know the key cannot make us compute.
func CheckMAC1(public [32]byte, datagram []byte) bool {
	key := labelled(macLabel, public)
	return checkMAC1(&key, datagram)
}

func checkMAC1(key *[32]byte, datagram []byte) bool {
	if len(datagram) < macs {
		return false
	}
	want := mac(key[:], datagram[:len(datagram)-macs])
	return hmac.Equal(want[:], mac1In(datagram))
}

// mac1In is where a packet has its mac1.
func mac1In(datagram []byte) []byte {
	return datagram[len(datagram)-macs : len(datagram)-wire.MACSize]
}

// labelled is WireGuard's derivation of a key that all who know the public key
// share.
func labelled(label string, public [32]byte) [32]byte {
	return blake2s.Sum256(append([]byte(label), public[:]...))
}

// mac is BLAKE2s-128 under a key of 16 or 32 bytes.
func mac(key, body []byte) (sum [wire.MACSize]byte) {
	h, err := blake2s.New128(key)
	if err != nil {
		panic("handshake: BLAKE2s refused a key: " + err.Error())
	}
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}

// appendMACs appends mac1 for the receiver's key and an empty mac2: no cookie
// was asked for.
func appendMACs(datagram []byte, receiver [32]byte) []byte {
	key := labelled(macLabel, receiver)
	mac1 := mac(key[:], datagram)
	datagram = append(datagram, mac1[:]...)
	return append(datagram, make([]byte, wire.MACSize)...)
}
