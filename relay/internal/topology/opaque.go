package topology

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Opaque is the name of a domain outside the site: it tells one from another,
// and what it is only to who holds the site's secret. It is the start of
// HMAC-SHA256 over "domain", a zero byte and the domain.
func Opaque(secret []byte, domain string) (name [16]byte) {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("domain\x00" + domain))
	copy(name[:], mac.Sum(nil))
	return name
}
