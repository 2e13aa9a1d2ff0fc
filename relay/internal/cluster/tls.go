package cluster

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"assimilation/tenancy"
)

// What a connection is for (ALPN).
const (
	streamProtocol = "assim-cluster/1"
	gossipProtocol = "assim-gossip/1"
)

var errStranger = errors.New("it is no relay of this site")

// identify is who of the site's relays holds a signing key.
type identify func(ed25519.PublicKey) (tenancy.RelayID, bool)

// selfSigned wraps the relay's signing key, which is what counts, into the form
// that TLS has for keys. Nobody looks at its names or dates.
func selfSigned(key ed25519.PrivateKey) (tls.Certificate, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making the cluster's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// mutual is TLS 1.3 between relays that know each other's signing keys: of both
// ends, for the handshake proves that each holds its key.
func mutual(certificate tls.Certificate, who identify, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{certificate},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // no authority vouches for relays: VerifyConnection does
		SessionTicketsDisabled: true,
		NextProtos:             protocols,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := peerOf(state, who)
			return err
		},
	}
}

// peerOf is the relay at the other end.
func peerOf(state tls.ConnectionState, who identify) (tenancy.RelayID, error) {
	if len(state.PeerCertificates) == 0 {
		return tenancy.RelayID{}, errStranger
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return tenancy.RelayID{}, errStranger
	}
	relay, known := who(key)
	switch {
	case !known:
		return tenancy.RelayID{}, errStranger
	case state.NegotiatedProtocol != streamProtocol && state.NegotiatedProtocol != gossipProtocol:
		return tenancy.RelayID{}, errors.New("it does not speak this protocol")
	}
	return relay, nil
}

// only lets in no other relay than the one that is called.
func only(wanted tenancy.RelayID, who identify) identify {
	return func(key ed25519.PublicKey) (tenancy.RelayID, bool) {
		relay, known := who(key)
		return relay, known && relay == wanted
	}
}
