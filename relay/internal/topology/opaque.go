package topology

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Opaque is the name of a domain or a zone outside of its site: who has not the
// site's secret learns from it only which verdicts are about the same.
func Opaque(secret []byte, domain string) [16]byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("domain\x00"))
	mac.Write([]byte(domain))
	return [16]byte(mac.Sum(nil)[:16])
}
