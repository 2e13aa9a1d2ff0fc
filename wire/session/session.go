// Package session seals and opens the transport packets of one session: the
// keys that a handshake agreed on, the sending counter, the replay window and
// the session's end. It knows nothing of what is inside.
//
// A Session belongs to one owner; it is not safe for concurrent use.
package session

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"assimilation/wire"
	"assimilation/wire/replay"
)

// Why a datagram was not opened, or could not be sealed.
var (
	ErrMalformed = errors.New("not a transport packet of this session")
	ErrReplay    = errors.New("datagram was seen before or is too old")
	ErrAuth      = errors.New("datagram is not authentic")
	ErrTooLarge  = errors.New("plaintext does not fit one datagram")
	ErrExhausted = errors.New("session has used up its counters")
)

// Session is one direction-pair of keys between two peers.
type Session struct {
	LocalIndex  uint32 // in packets to us
	RemoteIndex uint32 // in packets to the peer

	send, receive cipher.AEAD
	counter       uint64 // of the next sealed packet
	window        replay.Window
	highest       uint64 // counter opened so far, plus 1
	advanced      bool
	began         time.Time
}

// New makes a session from the two keys of a finished handshake.
func New(local, remote uint32, sendKey, receiveKey [32]byte) (*Session, error) {
	send, err := chacha20poly1305.New(sendKey[:])
	if err != nil {
		return nil, err
	}
	receive, err := chacha20poly1305.New(receiveKey[:])
	if err != nil {
		return nil, err
	}
	return &Session{LocalIndex: local, RemoteIndex: remote, send: send, receive: receive}, nil
}

// Start says when the session began; without it, it does not age.
func (s *Session) Start(now time.Time) { s.began = now }

// Expired reports whether it is time for a new handshake. The session still
// works, so that the old one serves until the new one does.
func (s *Session) Expired(now time.Time) bool {
	return s.counter >= wire.RekeyAfterMessages ||
		!s.began.IsZero() && now.Sub(s.began) >= wire.RekeyAfterTime
}

// Seal appends the transport packet that carries plaintext to dst.
func (s *Session) Seal(dst, plaintext []byte) ([]byte, error) {
	if len(plaintext) > wire.MaxPlaintext {
		return nil, ErrTooLarge
	}
	if s.counter >= wire.RejectAfterMessages {
		return nil, ErrExhausted
	}
	start := len(dst)
	dst = append(dst, byte(wire.PacketTransport), wire.Version)
	dst = binary.BigEndian.AppendUint32(dst, s.RemoteIndex)
	dst = binary.BigEndian.AppendUint64(dst, s.counter)
	nonce := nonceOf(s.counter)
	s.counter++
	return s.send.Seal(dst, nonce[:], plaintext, dst[start:]), nil
}

// Open returns the plaintext of a transport packet. On any error the session
// is as it was.
func (s *Session) Open(datagram []byte) ([]byte, error) {
	if t, err := wire.PacketType(datagram); err != nil || t != wire.PacketTransport {
		return nil, ErrMalformed
	}
	if len(datagram) < wire.TransportHeaderSize+wire.TagSize ||
		binary.BigEndian.Uint32(datagram[2:]) != s.LocalIndex {
		return nil, ErrMalformed
	}
	counter := binary.BigEndian.Uint64(datagram[6:])
	if counter >= wire.RejectAfterMessages {
		return nil, ErrMalformed
	}
	if !s.window.Check(counter) {
		return nil, ErrReplay
	}
	nonce := nonceOf(counter)
	header, sealed := datagram[:wire.TransportHeaderSize], datagram[wire.TransportHeaderSize:]
	plaintext, err := s.receive.Open(nil, nonce[:], sealed, header)
	if err != nil {
		return nil, ErrAuth
	}
	s.window.Accept(counter)
	s.advanced = counter >= s.highest
	s.highest = max(s.highest, counter+1)
	return plaintext, nil
}

// Advanced reports whether the packet that was opened last was sent after all
// those before it. Only such a one says where its sender is now: an older one
// may have been held back, and come from somebody who has copied it.
func (s *Session) Advanced() bool { return s.advanced }

// nonceOf is Noise's nonce for ChaChaPoly: 32 zero bits, then the counter,
// little-endian.
func nonceOf(counter uint64) (nonce [chacha20poly1305.NonceSize]byte) {
	binary.LittleEndian.PutUint64(nonce[4:], counter)
	return nonce
}
