package secondfactor

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
)

// The vectors of RFC 6238 (SHA-1), of which an app shows the last six digits.
func TestVectors(t *testing.T) {
	for unix, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"} {
		got, err := Code([]byte("12345678901234567890"), time.Unix(unix, 0))
		if err != nil || got != want {
			t.Errorf("at %d: %s %v, want %s", unix, got, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	secret, now := NewSecret(), time.Unix(1_800_000_015, 0)
	at := func(d time.Duration) string {
		code, err := Code(secret, now.Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	for _, test := range []struct {
		name, code string
		last       int64
		want       int64 // 0: refused
	}{
		{"now", at(0), 0, Step(now)},
		{"with spaces", " " + at(0)[:3] + " " + at(0)[3:] + " ", 0, Step(now)},
		{"a period ago", at(-period), 0, Step(now) - 1},
		{"a period ahead", at(period), 0, Step(now) + 1},
		{"two periods ago", at(-2 * period), 0, 0},
		{"two periods ahead", at(2 * period), 0, 0},
		{"used", at(0), Step(now), 0},
		{"older than the used one", at(-period), Step(now), 0},
		{"newer than the used one", at(period), Step(now), Step(now) + 1},
		{"empty", "", 0, 0},
		{"short", at(0)[:5], 0, 0},
		{"long", at(0) + "0", 0, 0},
		{"letters", "abcdef", 0, 0},
	} {
		step, ok, err := Check(secret, test.code, now, test.last)
		if err != nil || ok != (test.want != 0) || step != test.want {
			t.Errorf("%s: %d %v %v, want %d", test.name, step, ok, err, test.want)
		}
	}
}

func TestAppsReadTheURI(t *testing.T) {
	secret := NewSecret()
	key, err := otp.NewKeyFromURL(URI(secret, "ada+x@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	if key.Secret() != Text(secret) || key.Issuer() != "Assimilation" || key.AccountName() != "ada+x@example.org" || key.Period() != 30 || key.Digits() != otp.DigitsSix {
		t.Errorf("read as %s", key)
	}
	if u, err := url.Parse(key.String()); err != nil || strings.Contains(u.RawQuery, "+") {
		t.Errorf("%s: %v", key, err)
	}
}

func TestRecoveryCodes(t *testing.T) {
	codes, hashes := NewRecoveryCodes()
	if len(codes) != recoveryCodes || len(hashes) != recoveryCodes {
		t.Fatalf("%d codes, %d hashes", len(codes), len(hashes))
	}
	for i, code := range codes {
		for _, typed := range []string{code, strings.ToUpper(code), strings.ReplaceAll(code, "-", ""), " " + strings.ReplaceAll(code, "-", " ") + " "} {
			if hash, ok := RecoveryHash(typed); !ok || string(hash) != string(hashes[i]) {
				t.Errorf("%q is not code %d", typed, i)
			}
		}
	}
	for _, none := range []string{"", "123456", codes[0] + "a", strings.Repeat("x", 1000)} {
		if _, ok := RecoveryHash(none); ok {
			t.Errorf("%q could be a code", none)
		}
	}
}

func TestPicture(t *testing.T) {
	path, side, err := Picture(URI(NewSecret(), "ada@example.org"))
	if err != nil || side < 29 || !strings.HasPrefix(path, "M4 4h1v1h-1z") {
		t.Errorf("%d %v %.40q", side, err, path)
	}
	if _, _, err := Picture(strings.Repeat("x", 5000)); err == nil {
		t.Error("a text that no QR code holds is drawn")
	}
}
