package wire

import (
	"crypto/ed25519"
	"encoding/binary"
	"slices"
)

// KeyStatement is a site's word on which keys are its own. While a key replaces
// another, both are, and both have signed the statement; then the newest alone. A
// statement with a greater sequence replaces those before it.
type KeyStatement struct {
	Sequence uint64 // from 1, by the site
	// Alone: Former is the site's no more, and has not signed.
	Alone          bool
	Newest, Former [ed25519.PublicKeySize]byte

	ByNewest, ByFormer [ed25519.SignatureSize]byte
}

const (
	statementVersion = 1
	statementDomain  = "assimilation site keys\x00"
	statementSigned  = 1 + 8 + 1 + 2*ed25519.PublicKeySize // version, sequence, alone, keys
	statementAlone   = statementSigned + ed25519.SignatureSize
	// maxStatementSequence leaves room to count on, and fits where numbers are signed.
	maxStatementSequence = 1 << 53
)

func (s KeyStatement) appendSigned(dst []byte) []byte {
	dst = append(dst, statementVersion)
	dst = binary.BigEndian.AppendUint64(dst, s.Sequence)
	alone := byte(0)
	if s.Alone {
		alone = 1
	}
	dst = append(dst, alone)
	dst = append(dst, s.Newest[:]...)
	return append(dst, s.Former[:]...)
}

func (s KeyStatement) signedText() []byte { return s.appendSigned([]byte(statementDomain)) }

// Append appends the encoded statement, at most MaxKeyStatement bytes, to dst.
func (s KeyStatement) Append(dst []byte) []byte {
	dst = append(s.appendSigned(dst), s.ByNewest[:]...)
	if s.Alone {
		return dst
	}
	return append(dst, s.ByFormer[:]...)
}

// Sign returns the statement with the signatures that it needs; former is not
// looked at if the newest key stands alone.
func (s KeyStatement) Sign(newest, former ed25519.PrivateKey) KeyStatement {
	s.ByNewest = [ed25519.SignatureSize]byte(ed25519.Sign(newest, s.signedText()))
	if !s.Alone {
		s.ByFormer = [ed25519.SignatureSize]byte(ed25519.Sign(former, s.signedText()))
	}
	return s
}

// ParseKeyStatement reads a statement, without verifying it.
func ParseKeyStatement(b []byte) (KeyStatement, error) {
	if len(b) != statementAlone && len(b) != MaxKeyStatement {
		return KeyStatement{}, refuse(Malformed, "site key statement of %d bytes", len(b))
	}
	if b[0] != statementVersion {
		return KeyStatement{}, refuse(Unsupported, "site key statement version %d", b[0])
	}
	s := KeyStatement{
		Sequence: binary.BigEndian.Uint64(b[1:]),
		Alone:    b[9] == 1,
		Newest:   [ed25519.PublicKeySize]byte(b[10:]),
		Former:   [ed25519.PublicKeySize]byte(b[42:]),
		ByNewest: [ed25519.SignatureSize]byte(b[statementSigned:]),
	}
	if b[9] > 1 || s.Alone != (len(b) == statementAlone) {
		return KeyStatement{}, refuse(Malformed, "site key statement of %d bytes says %d", len(b), b[9])
	}
	if s.Sequence == 0 || s.Sequence > maxStatementSequence || s.Newest == s.Former {
		return KeyStatement{}, refuse(Malformed, "site key statement %d", s.Sequence)
	}
	if !s.Alone {
		s.ByFormer = [ed25519.SignatureSize]byte(b[statementAlone:])
	}
	return s, nil
}

// Keys are trusted keys of a site, the newest first.
type Keys [][ed25519.PublicKeySize]byte

// Extend returns the keys to trust after a statement: its newest, and, while that
// does not stand alone, its former if that was trusted before. So nobody who trusts a
// newer key comes to trust an older one. Only the newest key that is trusted is heard:
// it names who follows it, or says once more that it is the newest. Anything else, or
// what its keys have not signed, is refused as BadSignature.
func (k Keys) Extend(s KeyStatement) (Keys, error) {
	text := s.signedText()
	heard := len(k) > 0 && (k[0] == s.Newest || !s.Alone && k[0] == s.Former)
	if !heard || !ed25519.Verify(s.Newest[:], text, s.ByNewest[:]) || !s.Alone && !ed25519.Verify(s.Former[:], text, s.ByFormer[:]) {
		return nil, refuse(BadSignature, "site key statement")
	}
	if !s.Alone && slices.Contains(k, s.Former) {
		return Keys{s.Newest, s.Former}, nil
	}
	return Keys{s.Newest}, nil
}

// Trusted returns the keys that are trusted by who pinned one of them and has heard a
// statement since, and the sequence of that. One that is not about the pinned key
// counts for nothing.
func Trusted(pinned [ed25519.PublicKeySize]byte, heard *KeyStatement) (keys Keys, sequence uint64) {
	keys = Keys{pinned}
	if heard == nil {
		return keys, 0
	}
	extended, err := keys.Extend(*heard)
	if err != nil {
		return keys, 0
	}
	return extended, heard.Sequence
}

// Oldest is what is pinned of the keys: the statement says the others. There is one.
func (k Keys) Oldest() [ed25519.PublicKeySize]byte { return k[len(k)-1] }

// Verified reports why no key verifies: nil if verify takes one, else what it says of
// the first that has signed, or BadSignature.
func (k Keys) Verified(verify func(ed25519.PublicKey) error) error {
	bad := refuse(BadSignature, "no key of the site has signed")
	for _, key := range k {
		if err := verify(key[:]); err == nil || ReasonOf(err) != BadSignature {
			return err
		}
	}
	return bad
}

// SiteKeys tells a probe which keys are its site's.
type SiteKeys struct {
	Statement []byte `cbor:"1,keyasint"` // encoded
}

func (*SiteKeys) messageType() MessageType { return TypeSiteKeys }

func (m *SiteKeys) check() error {
	_, err := ParseKeyStatement(m.Statement)
	return err
}
