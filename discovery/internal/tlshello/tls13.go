package tlshello

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/curve25519"
)

// ask13 greets as a client of TLS 1.3 that knows X25519 alone.
func ask13(conn net.Conn, name string, suites []uint16) (*Answer, error) {
	random := make([]byte, 96)
	rand.Read(random)
	hello := hello{random: random[:32], session: random[32:64], ciphers: suites, name: name}
	private := random[64:]
	var err error
	if hello.share, err = curve25519.X25519(private, curve25519.Basepoint); err != nil {
		return nil, err
	}
	message := hello.message()
	if _, err := conn.Write(record(message)); err != nil {
		return nil, err
	}
	return read13(newRecords(conn), message, private)
}

// retry is the random number of a server that wants to be greeted again, with another
// group (RFC 8446, 4.1.3).
var retry = sha256.Sum256([]byte("HelloRetryRequest"))

func read13(in *records, greeting, private []byte) (*Answer, error) {
	sort, body, whole, err := in.message()
	if err != nil {
		return nil, err
	}
	server, err := parseServerHello(sort, body)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(server.random, retry[:]) || server.version != 0x0304 || len(server.share) != 32 {
		return nil, fmt.Errorf("%w: version %#04x, or another group than X25519", ErrTooFew, server.version)
	}
	shared, err := curve25519.X25519(private, server.share)
	if err != nil {
		return nil, err
	}
	if in.open, err = opener(server.cipher, handshakeSecret(shared, greeting, whole)); err != nil {
		return nil, err
	}
	for { // extensions, perhaps a request for a certificate of ours
		if sort, body, _, err = in.message(); err != nil {
			return nil, err
		}
		if sort == typeCertificate {
			chain, err := parseChain(sort, body, true)
			if err != nil {
				return nil, err
			}
			return &Answer{Versions: []string{versionName(0x0304)}, Chain: chain}, nil
		}
		const encryptedExtensions, certificateRequest = 8, 13
		if sort != encryptedExtensions && sort != certificateRequest {
			return nil, errMalformed
		}
	}
}

// handshakeSecret is that by which the server encrypts its handshake (RFC 8446, 7.1),
// of suites with SHA-256.
func handshakeSecret(shared, greeting, answer []byte) []byte {
	none := sha256.Sum256(nil)
	early := extract(nil, make([]byte, sha256.Size))
	secret := extract(expand(early, "derived", none[:], sha256.Size), shared)
	transcript := sha256.New()
	transcript.Write(greeting)
	transcript.Write(answer)
	return expand(secret, "s hs traffic", transcript.Sum(nil), sha256.Size)
}

// extract is that of HKDF (RFC 5869).
func extract(salt, secret []byte) []byte {
	if salt == nil {
		salt = make([]byte, sha256.Size)
	}
	mac := hmac.New(sha256.New, salt)
	mac.Write(secret)
	return mac.Sum(nil)
}

// expand is HKDF-Expand-Label, of no more than one hash.
func expand(secret []byte, label string, context []byte, size int) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(binary.BigEndian.AppendUint16(nil, uint16(size)))
	mac.Write(sized8([]byte("tls13 " + label)))
	mac.Write(sized8(context))
	mac.Write([]byte{1})
	return mac.Sum(nil)[:size]
}

// opener decrypts the server's records in their order (RFC 8446, 5.2).
func opener(suite uint16, secret []byte) (func(header, sealed []byte) ([]byte, error), error) {
	var aead cipher.AEAD
	var err error
	switch suite {
	case aes128:
		block, err2 := aes.NewCipher(expand(secret, "key", nil, 16))
		if err2 != nil {
			return nil, err2
		}
		aead, err = cipher.NewGCM(block)
	case chacha20:
		aead, err = chacha20poly1305.New(expand(secret, "key", nil, 32))
	default:
		return nil, fmt.Errorf("%w: suite %#04x, which was not offered", ErrTooFew, suite)
	}
	if err != nil {
		return nil, err
	}
	iv := expand(secret, "iv", nil, 12)
	var sequence uint64
	return func(header, sealed []byte) ([]byte, error) {
		nonce := bytes.Clone(iv)
		binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^sequence)
		sequence++
		return aead.Open(nil, nonce, sealed, header)
	}, nil
}
