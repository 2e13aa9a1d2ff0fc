package accounts

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

func TestPasswordHash(t *testing.T) {
	hash := hashPassword("correct horse battery")
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q has other parameters than RFC 9106 and OWASP advise", hash)
	}
	if hash == hashPassword("correct horse battery") {
		t.Error("two hashes of one password are equal: no salt")
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterz": false, "": false} {
		if got, err := checkPassword(password, hash); got != want || err != nil {
			t.Errorf("checking %q: %v, %v, want %v", password, got, err, want)
		}
	}
}

func TestDamagedHashes(t *testing.T) {
	good := hashPassword("correct horse battery")
	for _, stored := range []string{
		"", "plain", "$2a$10$abcdefghijklmnopqrstuv", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=18", 1),
		strings.Replace(good, "m=19456", "m=99999999", 1), strings.Replace(good, "m=19456", "m=-1", 1), strings.Replace(good, "t=2", "t=0", 1),
		strings.Replace(good, "t=2", "t=9999", 1), strings.Replace(good, "p=1", "p=0", 1), good[:len(good)-40], good + "$x", good + "!",
	} {
		if same, err := checkPassword("correct horse battery", stored); same || err == nil {
			t.Errorf("%q: %v, %v, want an error", stored, same, err)
		}
	}
}

func TestNobodysPasswordIsNeverRight(t *testing.T) {
	h := newHasher(1)
	for _, password := range []string{"", "x", h.dummy} {
		if right, err := h.check(t.Context(), password, ""); right || err != nil {
			t.Errorf("%q: %v, %v", password, right, err)
		}
	}
}

func TestHashingWaitsItsTurn(t *testing.T) {
	h := newHasher(1)
	synctest.Test(t, func(t *testing.T) {
		inside := &hasher{gate: newGate(1, 1), dummy: h.dummy}
		if err := inside.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- inside.enter(ctx) }()
		synctest.Wait()
		if err := inside.enter(ctx); !errors.Is(err, errBusy) {
			t.Errorf("with the queue full: %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting for a slot ended with %v", err)
		}
	})
}

func FuzzCheckPassword(f *testing.F) {
	f.Add("x", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b1dWRWJTmaaJObG")
	f.Add("x", "$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, password, stored string) {
		if strings.Count(stored, "m=") == 1 && len(stored) > 0 && strings.Contains(stored, "m=8,t=1,p=1$") {
			checkPassword(password, stored)
			return
		}
		// Others may ask for much memory within the bounds: only the parser is of interest.
		if !strings.HasPrefix(stored, "$argon2id$v=19$m=") {
			checkPassword(password, stored)
		}
	})
}
