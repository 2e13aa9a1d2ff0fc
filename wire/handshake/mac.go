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
	if len(datagram) < 2*wire.MACSize {
		return false
	}
	body, mac1 := datagram[:len(datagram)-2*wire.MACSize], datagram[len(datagram)-2*wire.MACSize:len(datagram)-wire.MACSize]
	want := mac1Of(public, body)
	return hmac.Equal(want[:], mac1)
}

func mac1Of(public [32]byte, body []byte) (mac [wire.MACSize]byte) {
	key := blake2s.Sum256(append([]byte(macLabel), public[:]...))
	h, err := blake2s.New128(key[:])
	if err != nil {
		panic("handshake: BLAKE2s refused a key of 32 bytes: " + err.Error())
	}
	h.Write(body)
	h.Sum(mac[:0])
	return mac
}

// appendMACs appends mac1 for the receiver's key and an empty mac2: no cookie
// was asked for.
func appendMACs(datagram []byte, receiver [32]byte) []byte {
	mac := mac1Of(receiver, datagram)
	datagram = append(datagram, mac[:]...)
	return append(datagram, make([]byte, wire.MACSize)...)
}
