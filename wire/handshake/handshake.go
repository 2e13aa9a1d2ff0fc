// Package handshake makes a session between two peers:
// Noise_IK_25519_ChaChaPoly_BLAKE2s with the prologue "assimilation/1".
//
//	initiator                                   responder
//	Initiate -> Handshake1 ------------------->
//	                                            CheckMAC1, then Respond
//	            <------------------ Handshake2  -> pending session
//	CheckMAC1, then Finish -> session
//	first transport packet ------------------->
//	                                            it opens: the session is live
//
// Message 1 may be a replay: the responder answers it and does nothing else
// with it. The session that Respond returns is pending until the first
// transport packet opens under it; only then may it replace an older one, may
// its peer's address be believed, and may anything be sent under it.
//
// A responder under load answers Handshake1 by a CookieReply instead, before any
// Diffie-Hellman, and remembers nothing; the initiator sends it again with the
// cookie. Guard and Initiator.OpenCookie are the two ends of that.
//
// Errors: whatever fails, the datagram is to be dropped and counted. An
// Initiator survives a bad Handshake2, so that a forged one cannot end it.
package handshake

import (
	"bytes"
	"crypto/ecdh"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/flynn/noise"

	"assimilation/wire"
	"assimilation/wire/session"
)

// Why a handshake packet was turned away.
var (
	ErrMalformed = errors.New("not a handshake packet of this kind")
	ErrMAC       = errors.New("handshake packet was not made for this key")
	ErrAuth      = errors.New("handshake packet is not authentic")
)

const (
	prologue = "assimilation/1"

	header1 = 6  // type, version, sender index
	header2 = 10 // and receiver index
	macs    = 2 * wire.MACSize
	noise1  = 96 // e, encrypted s, tag of the payload
	noise2  = 48 // e, tag of the payload

	// MaxPayload1 and MaxPayload2 bound what a handshake message can carry.
	MaxPayload1 = wire.MaxDatagram - header1 - noise1 - macs
	MaxPayload2 = wire.MaxDatagram - header2 - noise2 - macs
)

// Initiator is a handshake whose answer is awaited.
type Initiator struct {
	local  Keypair
	remote [32]byte
	index  uint32
	packet []byte // the Handshake1 as it was sent first
	state  *noise.HandshakeState
}

func newState(local Keypair, remote, prologue []byte, initiator bool, rand io.Reader) (*noise.HandshakeState, error) {
	return noise.NewHandshakeState(noise.Config{
		CipherSuite:   noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashBLAKE2s),
		Random:        rand,
		Pattern:       noise.HandshakeIK,
		Initiator:     initiator,
		Prologue:      prologue,
		StaticKeypair: noise.DHKey{Private: local.Private[:], Public: local.Public[:]},
		PeerStatic:    remote,
	})
}

// Initiate starts a handshake with the owner of the key remote and returns the
// Handshake1 packet. index is by which the answer and all later packets will
// name this session: unique among the sender's.
func Initiate(local Keypair, remote [32]byte, index uint32, payload []byte, rand io.Reader) (*Initiator, []byte, error) {
	if len(payload) > MaxPayload1 {
		return nil, nil, fmt.Errorf("handshake payload of %d bytes exceeds %d", len(payload), MaxPayload1)
	}
	state, err := newState(local, remote[:], []byte(prologue), true, rand)
	if err != nil {
		return nil, nil, fmt.Errorf("start a handshake: %w", err)
	}
	packet := make([]byte, 0, header1+noise1+len(payload)+macs)
	packet = append(packet, byte(wire.PacketHandshake1), wire.Version)
	packet = binary.BigEndian.AppendUint32(packet, index)
	packet, _, _, err = state.WriteMessage(packet, payload)
	if err != nil {
		return nil, nil, fmt.Errorf("write handshake message 1: %w", err)
	}
	packet = appendMACs(packet, remote)
	return &Initiator{local: local, remote: remote, index: index, packet: bytes.Clone(packet), state: state}, packet, nil
}

// Finish reads the Handshake2 packet and returns the session, which the
// initiator may use at once, and the payload of the message.
func (i *Initiator) Finish(datagram []byte) (*session.Session, []byte, error) {
	if t, err := wire.PacketType(datagram); err != nil || t != wire.PacketHandshake2 {
		return nil, nil, ErrMalformed
	}
	if len(datagram) < header2+noise2+macs || binary.BigEndian.Uint32(datagram[6:]) != i.index {
		return nil, nil, ErrMalformed
	}
	if !CheckMAC1(i.local.Public, datagram) {
		return nil, nil, ErrMAC
	}
	message := datagram[header2 : len(datagram)-macs]
	if !contributes(message[:32]) {
		return nil, nil, ErrAuth
	}
	payload, first, second, err := i.state.ReadMessage(nil, message)
	if err != nil {
		return nil, nil, ErrAuth
	}
	remoteIndex := binary.BigEndian.Uint32(datagram[2:])
	s, err := session.New(i.index, remoteIndex, first.UnsafeKey(), second.UnsafeKey())
	return s, payload, err
}

// Respond reads a Handshake1 packet and returns the pending session, the
// Handshake2 packet, and who the initiator is: its static key and the payload
// that it sent. Whether that key is welcome is for the caller to say, before
// it sends the reply.
func Respond(local Keypair, index uint32, datagram, payload []byte, rand io.Reader) (s *session.Session, reply []byte, remoteStatic [32]byte, remotePayload []byte, err error) {
	if len(payload) > MaxPayload2 {
		return nil, nil, remoteStatic, nil, fmt.Errorf("handshake payload of %d bytes exceeds %d", len(payload), MaxPayload2)
	}
	if t, err := wire.PacketType(datagram); err != nil || t != wire.PacketHandshake1 || len(datagram) < header1+noise1+macs {
		return nil, nil, remoteStatic, nil, ErrMalformed
	}
	if !CheckMAC1(local.Public, datagram) {
		return nil, nil, remoteStatic, nil, ErrMAC
	}
	state, err := newState(local, nil, []byte(prologue), false, rand)
	if err != nil {
		return nil, nil, remoteStatic, nil, fmt.Errorf("answer a handshake: %w", err)
	}
	remotePayload, _, _, err = state.ReadMessage(nil, datagram[header1:len(datagram)-macs])
	if err != nil {
		return nil, nil, remoteStatic, nil, ErrAuth
	}
	remoteStatic = [32]byte(state.PeerStatic())
	remoteIndex := binary.BigEndian.Uint32(datagram[2:])

	reply = make([]byte, 0, header2+noise2+len(payload)+macs)
	reply = append(reply, byte(wire.PacketHandshake2), wire.Version)
	reply = binary.BigEndian.AppendUint32(reply, index)
	reply = binary.BigEndian.AppendUint32(reply, remoteIndex)
	reply, first, second, err := state.WriteMessage(reply, payload)
	if err != nil {
		return nil, nil, remoteStatic, nil, fmt.Errorf("write handshake message 2: %w", err)
	}
	s, err = session.New(index, remoteIndex, second.UnsafeKey(), first.UnsafeKey())
	return s, appendMACs(reply, remoteStatic), remoteStatic, remotePayload, err
}

// contributes reports whether an ephemeral key is not of low order. The Noise
// state cannot be rolled back after such a key made its Diffie-Hellman fail,
// so Finish must find out before.
func contributes(ephemeral []byte) bool {
	public, err := ecdh.X25519().NewPublicKey(ephemeral)
	if err != nil {
		return false
	}
	any32 := [32]byte{1} // a key of low order fails with every scalar alike
	private, err := ecdh.X25519().NewPrivateKey(any32[:])
	if err != nil {
		return false
	}
	_, err = private.ECDH(public)
	return err == nil
}
