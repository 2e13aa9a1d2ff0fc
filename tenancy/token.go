package tenancy

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
	"unicode/utf8"
)

// TokenKind is the typed prefix of a token: it tells a person, a secret
// scanner and the wrong program what they hold.
type TokenKind string

// The kinds of token.
const (
	EnrolToken TokenKind = "enr" // enrols probes in one site
	RelayToken TokenKind = "rly" // enrols a relay in one site
	APIToken   TokenKind = "api" // speaks to /v1 as a person or a machine
)

// Sizes of a token, in bytes unless said otherwise.
const (
	SecretSize    = 20  // 160 random bits
	TokenIDLength = 12  // characters, 71 random bits; public, the key under which the hash is stored
	MaxTokenSize  = 512 // characters of a whole token; longer input is malformed
	maxAddress    = 255
	tokenVersion  = 1
	crcLength     = 6 // base62 characters of the CRC-32
)

// ErrMalformedToken is the one error of ParseToken: the text was damaged, cut
// or is no token. What is wrong in detail is in the wrapping error.
var ErrMalformedToken = errors.New("malformed token")

// Token is the parsed form of
//
//	asm_<kind>_<id>_<base62(payload)><crc32>
//
// where payload is, in order: version (1 byte), secret (20), then for enr the
// site's Ed25519 public key (32), for rly the SHA-256 of the tenant's HPKE
// public key (32), for api nothing; then for enr and rly the address, to the
// end: for enr "host:port" of a relay or empty, for rly the URL of the service.
// base62 is big-endian over 0-9A-Za-z; the version byte is never 0, so no
// leading byte is lost. The CRC-32 (IEEE) covers every character before it and
// is 6 base62 characters, so damage is noticed without asking anybody.
type Token struct {
	Kind    TokenKind
	ID      string
	Secret  [SecretSize]byte
	Pin     [32]byte // enr: site key; rly: hash of the tenant's key; api: zero
	Address string
}

// NewToken makes a token with a fresh id and secret.
func NewToken(kind TokenKind, pin [32]byte, address string) Token {
	t := Token{Kind: kind, Pin: pin, Address: address}
	id := make([]byte, TokenIDLength)
	for i := range id {
		id[i] = alphabet[randomBelow62()]
	}
	t.ID = string(id)
	rand.Read(t.Secret[:]) // never fails since Go 1.24
	return t
}

func randomBelow62() byte {
	var b [1]byte
	for {
		rand.Read(b[:])
		if b[0] < 248 { // 4*62: no modulo bias
			return b[0] % 62
		}
	}
}

// Hash is what is stored of the secret.
func (t Token) Hash() [32]byte { return HashSecret(t.Secret[:]) }

// HashSecret is SHA-256 of a token's secret. The secret has 160 random bits,
// so a slow hash would add nothing.
func HashSecret(secret []byte) [32]byte { return sha256.Sum256(secret) }

// String is the text that is shown once, when the token is minted.
func (t Token) String() string {
	payload := append([]byte{tokenVersion}, t.Secret[:]...)
	if t.Kind != APIToken {
		payload = append(payload, t.Pin[:]...)
		payload = append(payload, t.Address...)
	}
	body := "asm_" + string(t.Kind) + "_" + t.ID + "_" + encode62(payload)
	return body + crcText(body)
}

// ParseToken reads a token offline. Its error wraps ErrMalformedToken and
// never repeats the input.
func ParseToken(s string) (Token, error) {
	bad := func(why string) (Token, error) {
		return Token{}, fmt.Errorf("%w: %s", ErrMalformedToken, why)
	}
	if len(s) > MaxTokenSize {
		return bad("too long")
	}
	parts := strings.Split(s, "_")
	if len(parts) != 4 || parts[0] != "asm" {
		return bad("expected the form asm_<kind>_<id>_<secret>")
	}
	t := Token{Kind: TokenKind(parts[1]), ID: parts[2]}
	if t.Kind != EnrolToken && t.Kind != RelayToken && t.Kind != APIToken {
		return bad("unknown kind")
	}
	if len(s) <= crcLength || len(parts[3]) <= crcLength {
		return bad("cut short")
	}
	cut := len(s) - crcLength
	if crcText(s[:cut]) != s[cut:] {
		return bad("checksum does not match; was it copied whole?")
	}
	if len(t.ID) != TokenIDLength || !all62(t.ID) {
		return bad("bad id")
	}
	payload, ok := decode62(parts[3][:len(parts[3])-crcLength])
	if !ok || len(payload) < 1+SecretSize {
		return bad("bad payload")
	}
	if payload[0] != tokenVersion {
		return bad("made by a newer version")
	}
	copy(t.Secret[:], payload[1:])
	rest := payload[1+SecretSize:]
	if t.Kind == APIToken {
		if len(rest) != 0 {
			return bad("bad payload")
		}
		return t, nil
	}
	if len(rest) < 32 || len(rest)-32 > maxAddress || !utf8.Valid(rest[32:]) || bytes.ContainsFunc(rest[32:], isControl) {
		return bad("bad payload")
	}
	copy(t.Pin[:], rest)
	t.Address = string(rest[32:])
	return t, nil
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// encode62 and decode62 go through math/big, whose base 62 alphabet is
// 0-9a-zA-Z; swapping the cases gives the ASCII-ordered one.
func encode62(b []byte) string { return swapCase(new(big.Int).SetBytes(b).Text(62)) }

func decode62(s string) ([]byte, bool) {
	if s == "" || !all62(s) {
		return nil, false
	}
	n, ok := new(big.Int).SetString(swapCase(s), 62)
	if !ok {
		return nil, false
	}
	return n.Bytes(), encode62(n.Bytes()) == s // one spelling only
}

func all62(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(alphabet, r) })
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

func crcText(s string) string {
	text := swapCase(big.NewInt(int64(crc32.ChecksumIEEE([]byte(s)))).Text(62))
	return strings.Repeat("0", crcLength-len(text)) + text
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
