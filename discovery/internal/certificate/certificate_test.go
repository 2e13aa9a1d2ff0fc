package certificate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/discovery/internal/certificate"
)

// make returns a certificate that a key signs for itself.
func make(t testing.TB, key crypto.Signer, c x509.Certificate) []byte {
	t.Helper()
	c.SerialNumber = big.NewInt(0xfedcba)
	c.NotBefore = time.Date(2026, 1, 31, 12, 30, 45, 0, time.UTC)
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestParse holds the package against crypto/x509, which has made what it reads.
func TestParse(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	link, _ := url.Parse("spiffe://example/web")
	template := x509.Certificate{
		Subject:  pkix.Name{CommonName: `web, "one" \ #2 `, Organization: []string{"Müller + Söhne", "B"}, Country: []string{"DE"}, SerialNumber: "7"},
		NotAfter: time.Date(2052, 1, 1, 0, 0, 0, 0, time.UTC), BasicConstraintsValid: true, IsCA: true,
		DNSNames: []string{"www.example", "*.example"}, IPAddresses: []net.IP{net.ParseIP("10.0.0.1"), net.ParseIP("fd00::1")},
		EmailAddresses: []string{"a@example"}, URIs: []*url.URL{link},
	}
	for _, test := range []struct {
		key             crypto.Signer
		name, signature string
		bits            int64
	}{
		{rsaKey, "rsa", "sha256WithRSAEncryption", 2048},
		{ecKey, "ec", "ecdsa-with-SHA384", 384},
		{edKey, "ed25519", "ed25519", 0},
	} {
		c, err := certificate.Parse(make(t, test.key, template))
		if err != nil {
			t.Fatal(err)
		}
		if c.Key != test.name || c.Bits != test.bits || c.Signature != test.signature {
			t.Errorf("key %s of %d bits, signature %s", c.Key, c.Bits, c.Signature)
		}
		if c.Subject != `serialNumber=7,CN=web\, \"one\" \\ #2\ ,O=B+O=Müller \+ Söhne,C=DE` {
			t.Error(c.Subject)
		}
		if c.Issuer != c.Subject || !c.OwnIssuer || !c.Authority || c.Serial != "00fedcba" {
			t.Errorf("%+v", c)
		}
		if c.NotBefore != "2026-01-31T12:30:45Z" || c.NotAfter != "2052-01-01T00:00:00Z" {
			t.Errorf("from %s until %s", c.NotBefore, c.NotAfter)
		}
		want := []string{"DNS:*.example", "DNS:www.example", "IP:10.0.0.1", "IP:fd00::1", "URI:spiffe://example/web", "email:a@example"}
		if !slices.Equal(c.Names, want) {
			t.Error(c.Names)
		}
	}
}

// TestAuthorities reads those of the distribution, as crypto/x509 does.
func TestAuthorities(t *testing.T) {
	files, _ := filepath.Glob("/usr/share/ca-certificates/mozilla/*.crt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, der := range certificate.Split(string(text)) {
			want, err := x509.ParseCertificate(der)
			if err != nil {
				continue // crypto/x509 refuses negative serial numbers
			}
			got, err := certificate.Parse(der)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if got.NotAfter != want.NotAfter.UTC().Format(time.RFC3339) || got.Authority != want.IsCA || !strings.Contains(got.Subject, "O=") && !strings.Contains(got.Subject, "CN=") {
				t.Errorf("%s: %+v", file, got)
			}
			if key, is := want.PublicKey.(*rsa.PublicKey); is && got.Bits != int64(key.N.BitLen()) {
				t.Errorf("%s: %d bits", file, got.Bits)
			}
			if !strings.HasSuffix(got.Serial, fmt.Sprintf("%x", want.SerialNumber)) {
				t.Errorf("%s: serial %s", file, got.Serial)
			}
		}
	}
	t.Logf("%d files", len(files))
}

func TestSplit(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	der := make(t, key, x509.Certificate{NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)})
	one := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	secret := "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"
	for name, test := range map[string]struct {
		file string
		want int
	}{
		"pem": {one, 1}, "chain with a key": {"text\n" + secret + one + strings.ReplaceAll(one, "\n", "\r\n"), 2}, "der": {string(der), 1},
		"key": {secret, 0}, "cut": {one[:len(one)-10], 0}, "broken": {strings.Replace(one, "M", "*", 1), 0}, "empty": {"", 0},
	} {
		if got := certificate.Split(test.file); len(got) != test.want {
			t.Errorf("%s: %d", name, len(got))
		}
	}
}

func FuzzParse(f *testing.F) {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	f.Add(make(f, key, x509.Certificate{NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), DNSNames: []string{"a"}, Subject: pkix.Name{CommonName: "b"}}))
	f.Fuzz(func(t *testing.T, der []byte) {
		want, refused := x509.ParseCertificate(der)
		got, err := certificate.Parse(der)
		if refused == nil && (err != nil || got.NotAfter != want.NotAfter.UTC().Format(time.RFC3339)) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
