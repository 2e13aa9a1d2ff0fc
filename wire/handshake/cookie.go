package handshake

import (
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"assimilation/wire"
)

// cookieLabel is WireGuard's LABEL_COOKIE (§5.4.7 of its paper).
const cookieLabel = "cookie--"

// Cookie proves to who baked it that its bearer receives what is sent to the
// address that it was baked for.
type Cookie [wire.MACSize]byte

// Guard judges Handshake1 packets before any Diffie-Hellman: by mac1, whether
// the sender knows our key; by mac2, whether it receives what we send to its
// address. It keeps nothing per sender. It belongs to one owner, and its
// cookies are good at that Guard only.
type Guard struct {
	mac1Key [32]byte
	seal    cipher.AEAD
	random  io.Reader
	secret  [32]byte
	baked   time.Time // since when secret holds; zero: there is none
}

// NewGuard makes the guard of a key's owner. random gives secrets and nonces.
func NewGuard(public [32]byte, random io.Reader) *Guard {
	key := labelled(cookieLabel, public)
	seal, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic("handshake: XChaCha20-Poly1305 refused a key of 32 bytes: " + err.Error())
	}
	return &Guard{mac1Key: labelled(macLabel, public), seal: seal, random: random}
}

// CheckMAC1 is the function of that name, for our key.
func (g *Guard) CheckMAC1(datagram []byte) bool { return checkMAC1(&g.mac1Key, datagram) }

// CheckMAC2 reports whether the packet bears a cookie that this Guard gave to
// that address, less than wire.CookieLife ago.
func (g *Guard) CheckMAC2(now time.Time, datagram []byte, from netip.AddrPort) bool {
	if len(datagram) < macs || g.baked.IsZero() || now.Sub(g.baked) >= wire.CookieLife {
		return false
	}
	cookie := g.cookie(from)
	body, mac2 := datagram[:len(datagram)-wire.MACSize], datagram[len(datagram)-wire.MACSize:]
	want := mac(cookie[:], body)
	return hmac.Equal(want[:], mac2)
}

// Reply makes the CookieReply to a Handshake1 whose mac1 was found good.
func (g *Guard) Reply(now time.Time, datagram []byte, from netip.AddrPort) ([]byte, error) {
	if t, err := wire.PacketType(datagram); err != nil || t != wire.PacketHandshake1 || len(datagram) < header1+noise1+macs {
		return nil, ErrMalformed
	}
	if g.baked.IsZero() || now.Sub(g.baked) >= wire.CookieLife {
		if _, err := io.ReadFull(g.random, g.secret[:]); err != nil {
			return nil, fmt.Errorf("draw a secret for cookies: %w", err)
		}
		g.baked = now
	}
	reply := wire.CookieReply{Receiver: binary.BigEndian.Uint32(datagram[2:])}
	if _, err := io.ReadFull(g.random, reply.Nonce[:]); err != nil {
		return nil, fmt.Errorf("draw the nonce of a cookie: %w", err)
	}
	cookie := g.cookie(from)
	g.seal.Seal(reply.Sealed[:0], reply.Nonce[:], cookie[:], mac1In(datagram))
	return reply.Append(make([]byte, 0, wire.CookieReplySize)), nil
}

// cookie is the MAC of an address under the present secret.
func (g *Guard) cookie(from netip.AddrPort) Cookie {
	address := from.Addr().As16()
	return mac(g.secret[:], binary.BigEndian.AppendUint16(address[:], from.Port()))
}

// OpenCookie reads the CookieReply to this handshake. Only who saw our
// Handshake1 could make it.
func (i *Initiator) OpenCookie(datagram []byte) (Cookie, error) {
	reply, err := wire.ParseCookieReply(datagram)
	if err != nil || reply.Receiver != i.index {
		return Cookie{}, ErrMalformed
	}
	key := labelled(cookieLabel, i.remote)
	seal, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return Cookie{}, err
	}
	plain, err := seal.Open(nil, reply.Nonce[:], reply.Sealed[:], mac1In(i.packet))
	if err != nil {
		return Cookie{}, ErrAuth
	}
	return Cookie(plain), nil
}

// Packet is the Handshake1 packet once more, with a cookie of the receiver's as
// mac2. It is the same message: a receiver that has answered the first takes it
// for a duplicate.
func (i *Initiator) Packet(cookie Cookie) []byte {
	body := i.packet[:len(i.packet)-wire.MACSize]
	mac2 := mac(cookie[:], body)
	packet := append(make([]byte, 0, len(i.packet)), body...)
	return append(packet, mac2[:]...)
}
