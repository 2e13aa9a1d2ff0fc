package servicetest

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"assimilation/uplink"
	"assimilation/wire"
)

// NextSiteKey orders the relay to trust a key that follows SiteKey, by a statement of
// that sequence. The service goes on to sign by SiteKey.
func (s *Service) NextSiteKey(t testing.TB, sequence uint64) (next ed25519.PrivateKey) {
	t.Helper()
	_, next, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := wire.ParseCertificate(s.Certificate(time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	s.Order(func(o *uplink.Orders) {
		o.SiteKeys = statement(sequence, false, next, s.SiteKey)
		o.NextCertificate = certificate.Sign(next).Append(nil)
	})
	return next
}

// RetireSiteKey signs by another key from now on, and orders the relay to trust that
// alone.
func (s *Service) RetireSiteKey(sequence uint64, next ed25519.PrivateKey) {
	s.mu.Lock()
	former := s.SiteKey
	s.SiteKey = next
	s.mu.Unlock()
	certificate := s.Certificate(time.Now().Add(time.Hour))
	s.Order(func(o *uplink.Orders) {
		o.SiteKeys, o.Certificate, o.NextCertificate = statement(sequence, true, next, former), certificate, nil
	})
}

func statement(sequence uint64, alone bool, newest, former ed25519.PrivateKey) []byte {
	return wire.KeyStatement{
		Sequence: sequence, Alone: alone,
		Newest: [32]byte(newest.Public().(ed25519.PublicKey)), Former: [32]byte(former.Public().(ed25519.PublicKey)),
	}.Sign(newest, former).Append(nil)
}
