// Package certificates is the kind "certificates": X.509 certificates in the files
// of the host and those that its listeners serve, and when they end.
package certificates

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "certificates": one instance. Private keys are no fact, and
// files that are named as such are not opened. It follows the kind "sockets", whose
// listeners are asked once when they are new, and then once a day, see Hello.
var Kind = discovery.Kind{
	Name: "certificates", Version: 1,
	After:    []string{"sockets"},
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 20 * time.Second,
	Body: Facts{},
	Doc:  "X.509 certificates in files and of listeners: whose, by whom, until when",
}

// Facts is the body.
type Facts struct {
	Certificates []Certificate `json:"certificates" key:"sha256" title:"subject"` // sorted by sha256
	// Bundles are files of many certificates, such as the distribution's
	// authorities, which are only counted. Sorted by path.
	Bundles []Bundle `json:"bundles,omitempty" key:"path"`
	// Listeners serve TLS, and were asked for their certificates. Sorted by port, ip.
	Listeners []Listener `json:"listeners,omitempty" key:"ip,port,named" title:"ip:port"`
}

// Certificate is one certificate (RFC 5280), wherever it lies; one that is only
// served has no paths.
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

// Listener is an endpoint of the host that serves TLS.
type Listener struct {
	IP   string `json:"ip" class:"internal"` // to which it is bound: "0.0.0.0" and "::" for all
	Port int64  `json:"port" class:"internal"`
	Exe  string `json:"exe,omitempty" class:"internal"` // of the service, as in the kind "sockets"
	// Service is its identity, see sockets.Service.
	Service string `json:"service,omitempty" class:"internal"`
	// Named: this is what it serves to who asks for the host by its name, where that
	// is another chain than what it serves to who names nobody.
	Named bool `json:"named,omitempty" class:"internal"`
	// Protocols are those that were seen to work: "TLS 1.2", "TLS 1.3". Sorted.
	Protocols []string `json:"protocols" class:"internal"`
	// Chain is the sha256 of each certificate, the listener's own first.
	Chain []string `json:"chain" class:"internal"`
}
