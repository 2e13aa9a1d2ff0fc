// Package secondfactor makes and checks the codes of authenticator apps (TOTP,
// RFC 6238: SHA-1, 6 digits, 30 seconds, which all apps understand) and the
// recovery codes for when the telephone is gone. It stores nothing.
package secondfactor

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const (
	secretSize = 20 // bytes, as RFC 4226 recommends
	period     = 30 * time.Second
	// drift is how many periods an app's clock may be off.
	drift = 1
	// recoveryCodes is how many there are, recoverySize the random bytes of each:
	// enough that a fast hash keeps them.
	recoveryCodes = 10
	recoverySize  = 10
)

// NewSecret makes the secret that app and service share.
func NewSecret() []byte {
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails since Go 1.24
	return secret
}

var letters = base32.StdEncoding.WithPadding(base32.NoPadding)

// Text is the secret as it is typed into an app that cannot see.
func Text(secret []byte) string { return letters.EncodeToString(secret) }

// URI is the secret as apps read it from a QR code.
func URI(secret []byte, account string) string {
	const issuer = "Assimilation"
	q := url.Values{"secret": {Text(secret)}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// Step is the number of the 30 seconds that t is in.
func Step(t time.Time) int64 { return t.Unix() / int64(period/time.Second) }

// Check finds the step of which code is the code. Steps up to last are not
// looked at: their codes were used, or seen over a shoulder. All others are
// compared, however early one fits.
func Check(secret []byte, code string, now time.Time, last int64) (step int64, ok bool, err error) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	for s := Step(now) - drift; s <= Step(now)+drift; s++ {
		want, err := hotp.GenerateCodeCustom(Text(secret), uint64(s), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, fmt.Errorf("computing a code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && s > last {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// Code is the code of a moment, for tests and tools.
func Code(secret []byte, t time.Time) (string, error) {
	return hotp.GenerateCodeCustom(Text(secret), uint64(Step(t)), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
}

// NewRecoveryCodes makes codes, each good once, and what is stored of them.
func NewRecoveryCodes() (codes []string, hashes [][]byte) {
	for range recoveryCodes {
		raw := make([]byte, recoverySize)
		rand.Read(raw)
		text := strings.ToLower(letters.EncodeToString(raw))
		codes = append(codes, text[:4]+"-"+text[4:8]+"-"+text[8:12]+"-"+text[12:])
		hashes = append(hashes, hashOf(text))
	}
	return codes, hashes
}

// RecoveryHash is what is stored of a recovery code, however it was typed; false
// when it cannot be one.
func RecoveryHash(code string) ([]byte, bool) {
	text := strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(strings.TrimSpace(code)))
	if len(text) != letters.EncodedLen(recoverySize) {
		return nil, false
	}
	return hashOf(text), true
}

func hashOf(text string) []byte {
	sum := sha256.Sum256([]byte("recovery " + text))
	return sum[:]
}

// Picture is a QR code as the path of an SVG, one unit for each module, and the
// length of its side with the quiet zone that readers need.
func Picture(text string) (path string, side int, err error) {
	const quiet = 4
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", 0, fmt.Errorf("drawing a QR code: %w", err)
	}
	bounds := code.Bounds()
	var b strings.Builder
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x-bounds.Min.X+quiet, y-bounds.Min.Y+quiet)
			}
		}
	}
	return b.String(), bounds.Dx() + 2*quiet, nil
}
