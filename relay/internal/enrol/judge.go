// Package enrol judges who may join the site: probes that present a token.
package enrol

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/wire"
)

// maxSkew is how far two clocks may differ before neither is believed about a
// token's expiry.
const maxSkew = 24 * time.Hour

// judge says whether a token admits one more probe. found is false when the
// relay has no token of that id.
func judge(token store.Token, found bool, secret []byte, probeTime, now int64) wire.Reason {
	hash := tenancy.HashSecret(secret)
	switch {
	case !found || subtle.ConstantTimeCompare(hash[:], token.Hash) != 1:
		return wire.UnknownToken
	case token.WrongSite:
		return wire.WrongSite
	case token.Revoked:
		return wire.Revoked
	}
	if reason := judgeExpiry(token.Expires, probeTime, now); reason != wire.Accepted {
		return reason
	}
	switch {
	case token.UsedUp:
		return wire.UsedUp
	case token.Allowance >= 0 && token.Used >= token.Allowance:
		return wire.NoAllowance
	}
	return wire.Accepted
}

// judgeExpiry believes the relay's clock, unless the probe's says otherwise and
// is far off: then one of them is wrong, and only a person can tell which.
func judgeExpiry(expires, probeTime, now int64) wire.Reason {
	if expires == 0 {
		return wire.Accepted
	}
	skew := probeTime - now
	if skew < 0 {
		skew = -skew
	}
	byRelay, byProbe := now >= expires, probeTime >= expires
	switch {
	case byRelay != byProbe && skew > maxSkew.Milliseconds():
		return wire.ClockSkew
	case byRelay:
		return wire.Expired
	}
	return wire.Accepted
}

// HostID is the identifier of the host whose probe has a key: the same at every
// relay of the site, and after a relay has lost its disk. It is a UUID of
// version 8 (RFC 9562, 5.8), from SHA-256 over site and key.
func HostID(site tenancy.SiteID, probeKey [32]byte) tenancy.HostID {
	h := sha256.New()
	h.Write([]byte("assimilation host\x00"))
	h.Write(site.UUID[:])
	h.Write(probeKey[:])
	var id tenancy.HostID
	copy(id.UUID[:], h.Sum(nil))
	id.UUID[6] = id.UUID[6]&0x0f | 0x80
	id.UUID[8] = id.UUID[8]&0x3f | 0x80
	return id
}
