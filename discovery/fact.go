package discovery

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Hash is the content hash of a fact, see HashBody.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// HashBody is SHA-256 over "assimilation fact", kind, schema version and body,
// each but the last ended by a zero byte. The instance is no part of it, so
// that equal package sets are equal whatever their place.
func HashBody(kind string, version int, body []byte) Hash {
	h := sha256.New()
	h.Write([]byte("assimilation fact\x00" + kind + "\x00" + strconv.Itoa(version) + "\x00"))
	h.Write(body)
	return Hash(h.Sum(nil))
}

// NewFact encodes body canonically and hashes it. It refuses what Check would.
func NewFact(kind Kind, instance string, body any) (Fact, error) {
	encoded, err := Canonical(body)
	if err != nil {
		return Fact{}, &Invalid{Kind: kind.Name, Instance: instance, Why: err.Error(), TooLarge: errors.Is(err, errTooLarge)}
	}
	f := Fact{kind.Name, instance, kind.Version, encoded, HashBody(kind.Name, kind.Version, encoded)}
	return f, f.Check()
}

// Check reports why a fact that came from outside is not acceptable: an *Invalid
// error, or nil. It checks the envelope, the size, the canonical form and the
// hash, not the kind's schema.
func (f Fact) Check() error {
	switch {
	case !validKind(f.Kind):
		return &Invalid{Kind: f.Kind, Instance: f.Instance, Why: "kind name is not [a-z][a-z0-9-]* of at most 32 bytes"}
	case !validInstance(f.Instance):
		return &Invalid{Kind: f.Kind, Why: "instance is not plain UTF-8 of at most 128 bytes"}
	case f.Version < 1 || f.Version > 255:
		return &Invalid{Kind: f.Kind, Instance: f.Instance, Why: "schema version is not 1 to 255"}
	case len(f.Body) > MaxBody:
		return &Invalid{Kind: f.Kind, Instance: f.Instance, Why: tooLarge(len(f.Body)).Error(), TooLarge: true}
	case f.Hash != HashBody(f.Kind, f.Version, f.Body):
		return &Invalid{Kind: f.Kind, Instance: f.Instance, Why: "content hash does not match the body"}
	}
	if err := CheckCanonical(f.Body); err != nil {
		return &Invalid{Kind: f.Kind, Instance: f.Instance, Why: err.Error()}
	}
	return nil
}

// Invalid names a fact that was refused, and why.
type Invalid struct {
	Kind, Instance, Why string
	TooLarge            bool // its size is what is wrong
}

var errTooLarge = errors.New("too large")

func tooLarge(size int) error {
	return fmt.Errorf("%w: body of %d bytes exceeds %d", errTooLarge, size, MaxBody)
}

func (e *Invalid) Error() string {
	return fmt.Sprintf("fact %q instance %q refused: %s", e.Kind, e.Instance, e.Why)
}

func validKind(s string) bool {
	if len(s) == 0 || len(s) > MaxKindName || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func validInstance(s string) bool {
	if len(s) > MaxInstance || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}
