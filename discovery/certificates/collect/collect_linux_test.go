package collect

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"assimilation/discovery"
	kind "assimilation/discovery/certificates"
	"assimilation/discovery/discoverytest"
)

// files is a server with two certificates, made by openssl(1), in many places.
func files(t *testing.T) fstest.MapFS {
	t.Helper()
	root := fstest.MapFS{}
	read := func(name string) []byte {
		b, err := os.ReadFile("../testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	leaf, authority := read("leaf.pem"), read("authority.pem")
	put := func(path string, content ...[]byte) {
		var all []byte
		for _, c := range content {
			all = append(all, c...)
		}
		root[path] = &fstest.MapFile{Data: all}
	}
	secret := []byte("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n")
	put("etc/letsencrypt/live/www.example/fullchain.pem", leaf, authority)
	put("etc/letsencrypt/live/www.example/cert.pem", leaf)
	put("etc/letsencrypt/live/www.example/privkey.pem", secret, leaf)
	put("etc/ssl/private/both.pem", secret, leaf)
	put("etc/ssl/certs/ca-certificates.crt", []byte(strings.Repeat(string(authority), bundle)))
	put("etc/ssl/certs/own.pem", authority)
	root["etc/ssl/certs/ISRG.pem"] = &fstest.MapFile{Data: []byte("own.pem"), Mode: fs.ModeSymlink | 0o777}
	put("etc/haproxy/site.pem", secret, leaf)
	put("etc/nginx/sites-enabled/www", []byte("server {\n  # ssl_certificate /srv/old.crt;\n  ssl_certificate \"/srv/tls/www.crt\";\n  ssl_certificate_key /srv/tls/www.key;\n}\n"))
	put("srv/tls/www.crt", leaf)
	put("srv/tls/www.key", leaf)
	put("srv/old.crt", leaf)
	put("etc/postfix/main.cf", []byte("smtpd_tls_cert_file=/srv/missing.crt\nsmtpd_tls_CAfile = /etc/ssl/certs/ca-certificates.crt # cert\n"))
	put("etc/docker/broken.crt", []byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	return root
}

// denied is a file that may not be read.
type denied struct {
	fs.FS
	name string
}

func (d denied) Open(name string) (fs.File, error) {
	if name == d.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.FS.Open(name)
}

// quiet is a host that nobody listens on.
func quiet(root fs.FS) *Collector { return New(root, kind.Hello{}, nil, "", time.Now) }

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: func(t *testing.T) discovery.Collector { return quiet(files(t)) }},
		discoverytest.Case{Name: "empty", Collector: func(*testing.T) discovery.Collector { return quiet(fstest.MapFS{}) }},
		discoverytest.Case{Name: "listeners", Collector: func(t *testing.T) discovery.Collector {
			return follows(t, New(files(t), kind.Hello{}, newServers(t).ask, "www.example", time.Now), listens("/usr/sbin/nginx", "0.0.0.0", 443), listens("/usr/sbin/sshd", "::", 22),
				listens("/usr/bin/plain", "10.0.0.1", 8443), listens("/usr/bin/named", "10.0.0.1", 993))
		}},
		discoverytest.Case{Name: "denied", Degraded: discovery.DACReadSearch, Collector: func(t *testing.T) discovery.Collector {
			return quiet(denied{files(t), "etc/haproxy/site.pem"})
		}},
	)
}

// TestThisHost holds what is found against openssl(1).
func TestThisHost(t *testing.T) {
	facts, err := Local(kind.Hello{}).Collect(t.Context())
	if err != nil {
		t.Log(err)
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	for _, c := range body.Certificates {
		if len(c.Paths) == 0 {
			continue
		}
		out, err := exec.Command("openssl", "x509", "-in", c.Paths[0], "-noout", "-fingerprint", "-sha256").Output()
		if err != nil {
			t.Skipf("needs openssl: %v", err)
		}
		_, sum, _ := strings.Cut(strings.TrimSpace(string(out)), "=")
		if got := strings.ToLower(strings.ReplaceAll(sum, ":", "")); got != c.SHA256 {
			t.Errorf("%s: %s, the fact says %s", c.Paths[0], got, c.SHA256)
		}
	}
	t.Logf("%d certificates, bundles %v", len(body.Certificates), body.Bundles)
}

func FuzzConfiguration(f *testing.F) {
	f.Add("ssl_certificate \"/etc/nginx/a.conf\";\ncert=/\ncrt ///..;/etc\n")
	f.Fuzz(func(t *testing.T, text string) {
		facts, _ := quiet(fstest.MapFS{"etc/nginx/a.conf": {Data: []byte(text)}}).Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local(kind.Hello{})
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
