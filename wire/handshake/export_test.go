package handshake

// SetMAC1 makes the mac1 of a handshake packet right, as a forger who knows
// the receiver's public key could.
func SetMAC1(public [32]byte, datagram []byte) {
	key := labelled(macLabel, public)
	mac1 := mac(key[:], datagram[:len(datagram)-macs])
	copy(mac1In(datagram), mac1[:])
}
