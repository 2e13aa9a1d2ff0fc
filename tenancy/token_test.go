package tenancy_test

import (
	"errors"
	"strings"
	"testing"

	"assimilation/tenancy"
)

func TestTokenRoundTrip(t *testing.T) {
	for _, kind := range []tenancy.TokenKind{tenancy.EnrolToken, tenancy.RelayToken, tenancy.APIToken} {
		for _, address := range []string{"", "relay.example:1984", "https://assimilation.example"} {
			made := tenancy.NewToken(kind, [32]byte{0, 1, 2}, address)
			if kind == tenancy.APIToken {
				made.Pin, made.Address = [32]byte{}, ""
			}
			text := made.String()
			if !strings.HasPrefix(text, "asm_"+string(kind)+"_"+made.ID+"_") {
				t.Errorf("token reads %s", text)
			}
			parsed, err := tenancy.ParseToken(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if parsed != made {
				t.Errorf("made %+v, parsed %+v", made, parsed)
			}
		}
	}
}

func TestEveryDamageToATokenIsNoticed(t *testing.T) {
	text := tenancy.NewToken(tenancy.EnrolToken, [32]byte{7}, "10.0.0.1:1984").String()
	for i := range text {
		for _, c := range []byte{'0', 'Z', 'a', '_', 0xff, 0} {
			if text[i] == c {
				continue
			}
			damaged := text[:i] + string([]byte{c}) + text[i+1:]
			if _, err := tenancy.ParseToken(damaged); !errors.Is(err, tenancy.ErrMalformedToken) {
				t.Fatalf("character %d replaced by %q: %v", i, c, err)
			}
		}
		if _, err := tenancy.ParseToken(text[:i]); !errors.Is(err, tenancy.ErrMalformedToken) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		if _, err := tenancy.ParseToken(text[:i] + "0" + text[i:]); !errors.Is(err, tenancy.ErrMalformedToken) {
			t.Fatalf("a 0 put in at %d: %v", i, err)
		}
	}
}

// The text form is frozen: this token was made by the first version.
func TestTokenVector(t *testing.T) {
	made := tenancy.Token{Kind: tenancy.EnrolToken, ID: "0123456789Az", Pin: [32]byte{31: 9}, Address: "r:1984"}
	for i := range made.Secret {
		made.Secret[i] = byte(i)
	}
	const text = "asm_enr_0123456789Az_k6cN9w2xC6dxaylwEZwA6LVGEcqOeZKF9ewZIxzeJY0ZivkNfklzEcJw2nDBnyjm9Yt0bxMWSZlJB621Qu82"
	if made.String() != text {
		t.Errorf("made %s", made.String())
	}
	if parsed, err := tenancy.ParseToken(text); err != nil || parsed != made {
		t.Errorf("parsed %+v, %v", parsed, err)
	}
}

func TestHashOfASecretIsNotTheSecret(t *testing.T) {
	made := tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	hash := made.Hash()
	if strings.Contains(string(hash[:]), string(made.Secret[:8])) || hash == tenancy.NewToken(tenancy.APIToken, [32]byte{}, "").Hash() {
		t.Error("hashes are not hashes")
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(tenancy.NewToken(tenancy.EnrolToken, [32]byte{1}, "r:1984").String())
	f.Add(tenancy.NewToken(tenancy.APIToken, [32]byte{}, "").String())
	f.Add("asm_enr__")
	f.Fuzz(func(t *testing.T, s string) {
		if token, err := tenancy.ParseToken(s); err == nil && token.String() != s {
			t.Errorf("%q parses, and reads %q", s, token.String())
		}
	})
}

func TestRoles(t *testing.T) {
	order := []tenancy.Role{tenancy.Viewer, tenancy.Operator, tenancy.Admin, tenancy.Owner}
	for i, have := range order {
		for j, wanted := range order {
			if have.Allows(wanted) != (i >= j) {
				t.Errorf("%s allows what needs %s: %v", have, wanted, have.Allows(wanted))
			}
		}
		if tenancy.Role("root").Allows(have) || have.Allows("") {
			t.Error("an unknown role allows something")
		}
	}
}
