package handshake

import "assimilation/wire"

// SetMAC1 makes the mac1 of a handshake packet right, as a forger who knows
// the receiver's public key could.
func SetMAC1(public [32]byte, datagram []byte) {
	end := len(datagram) - 2*wire.MACSize
	mac := mac1Of(public, datagram[:end])
	copy(datagram[end:], mac[:])
}
