package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Parameters of argon2id (RFC 9106): OWASP's choice of 19 MiB, two passes, one
// lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonSalt   = 16 // bytes
	argonKey    = 32 // bytes
)

// Bounds within which a stored hash is believed: a damaged row must not take
// gigabytes.
const (
	maxArgonMemory = 256 * 1024 // KiB
	maxArgonPasses = 16
)

// waitingPerSlot is some two seconds of work.
const waitingPerSlot = 32

// hasher hashes and checks passwords. Each takes 19 MiB and tens of
// milliseconds of a core, so few run at once and few wait: who comes from many
// addresses must not make those who wait pile up.
type hasher struct {
	gate
	dummy string // hash of nobody's password
}

func newHasher(concurrent int) *hasher {
	h := &hasher{gate: newGate(concurrent, waitingPerSlot*concurrent)}
	h.dummy = hashPassword(rand.Text())
	return h
}

// hash makes the PHC string of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return hashPassword(password), nil
}

// check compares a password with a stored hash; with "", the hash of a user
// that does not exist, it does the same work and says no.
func (h *hasher) check(ctx context.Context, password, stored string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	known := stored != ""
	if !known {
		stored = h.dummy
	}
	same, err := checkPassword(password, stored)
	return same && known, err
}

func hashPassword(password string) string {
	salt := make([]byte, argonSalt)
	rand.Read(salt) // never fails since Go 1.24
	key := argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// checkPassword follows the parameters in the hash, so that they can be raised
// without anybody's password ending.
func checkPassword(password, stored string) (bool, error) {
	bad := func(why string) (bool, error) { return false, fmt.Errorf("stored password hash: %s", why) }
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return bad("not argon2id")
	}
	var version, memory, passes, lanes int
	if n, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes); n != 4 || err != nil {
		return bad("parameters do not parse")
	}
	if version != argon2.Version || memory < 8 || memory > maxArgonMemory || passes < 1 || passes > maxArgonPasses || lanes < 1 || lanes > 16 {
		return bad("parameters out of bounds")
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return bad("salt does not parse")
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) < 16 || len(want) > 64 {
		return bad("key does not parse")
	}
	got := argon2.IDKey([]byte(password), salt, uint32(passes), uint32(memory), uint8(lanes), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}
