package sites

import (
	"time"

	"assimilation/tenancy"
	"assimilation/wire"
)

// A relay's certificate lives long enough to outlast any outage of the service
// that a site survives otherwise, and is renewed by orders long before its end.
// It starts a little in the past for probes whose clocks are late.
const (
	certificateLife  = 90 * 24 * time.Hour
	certificateRenew = 30 * 24 * time.Hour
	certificateEarly = time.Hour
)

// certify makes the site's word that the key is its relay's; next is by the site's next
// key, nil where there is none.
func (w siteWord) certify(site tenancy.SiteID, relay tenancy.RelayID, noiseKey [32]byte, now time.Time) (certificate, next []byte) {
	c := wire.Certificate{
		Relay: relay.UUID, Site: site.UUID, Key: noiseKey,
		NotBefore: now.Add(-certificateEarly).Unix(), NotAfter: now.Add(certificateLife).Unix(),
	}
	if w.next != nil {
		next = c.Sign(w.next).Append(nil)
	}
	return c.Sign(w.key).Append(nil), next
}

// mustRenew reports whether a stored certificate's end is near. One that cannot
// be read must be made anew, too.
func mustRenew(certificate []byte, now time.Time) bool {
	c, err := wire.ParseCertificate(certificate)
	return err != nil || time.Unix(c.NotAfter, 0).Sub(now) < certificateRenew
}
