// Package certificates is the kind "certificates": X.509 certificates in the files
// of the host, and when they end.
package certificates

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "certificates": one instance. Private keys are no fact, and
// files that are named as such are not opened.
var Kind = discovery.Kind{
	Name: "certificates", Version: 1,
	After:    []string{"sockets"},
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 20 * time.Second,
	Body: Facts{},
	Doc:  "X.509 certificates in files: whose, by whom, until when",
}

// Facts is the body.
type Facts struct {
	Certificates []Certificate `json:"certificates" key:"sha256" title:"subject"` // sorted by sha256
	// Bundles are files of many certificates, such as the distribution's
	// authorities, which are only counted. Sorted by path.
	Bundles []Bundle `json:"bundles,omitempty" key:"path"`
}

// Certificate is one certificate (RFC 5280), wherever it lies.
type Certificate struct {
	SHA256    string   `json:"sha256" class:"internal"` // of the whole, in hexadecimal
	Paths     []string `json:"paths" class:"internal"`  // sorted
	Subject   string   `json:"subject" class:"internal"`
	Issuer    string   `json:"issuer" class:"internal"`          // both as in RFC 4514
	Names     []string `json:"names,omitempty" class:"internal"` // "DNS:", "IP:", "email:", "URI:" and a name, sorted
	Serial    string   `json:"serial" class:"internal"`          // hexadecimal
	NotBefore string   `json:"not_before" class:"internal"`      // "2026-01-31T00:00:00Z"
	NotAfter  string   `json:"not_after" class:"internal"`
	Key       string   `json:"key" class:"internal"` // rsa, ec, ed25519...; else the object identifier
	Bits      int64    `json:"bits,omitempty" class:"internal"`
	Signature string   `json:"signature" class:"internal"` // "sha256WithRSAEncryption", "ecdsa-with-SHA256"...
	Authority bool     `json:"authority,omitempty" class:"internal"`
	OwnIssuer bool     `json:"own_issuer,omitempty" class:"internal"` // issuer and subject are the same: self-signed
}

// Bundle is a file of many certificates.
type Bundle struct {
	Path         string `json:"path" class:"internal"`
	Certificates int64  `json:"certificates" class:"internal"`
}
