package collect

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/dns"
)

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func TestSuite(t *testing.T) {
	over := func(files fstest.MapFS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(files, "") }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "resolved", Collector: over(fstest.MapFS{
			"etc/resolv.conf":                        &fstest.MapFile{Data: []byte("../run/systemd/resolve/stub-resolv.conf"), Mode: fs.ModeSymlink},
			"run/systemd/resolve/stub-resolv.conf":   file("# x\n; y z\nnameserver 127.0.0.53\nnameserver 127.0.0.53\ndomain old\noptions edns0 trust-ad\nsearch a.example b.example\noptions timeout:1\nbroken\n"),
			"run/systemd/resolve/resolv.conf":        file("nameserver 10.0.0.1\nnameserver 10.0.0.2\n"),
			"etc/systemd/resolved.conf":              file("[Resolve]\n#DNS=\nDNSSEC=no\n[Other]\nx=1\n"),
			"etc/systemd/resolved.conf.d/site.conf":  file("[Resolve]\nDNSSEC=yes\n"),
			"etc/NetworkManager/NetworkManager.conf": file("[main]\nplugins=keyfile\ndns=none\n"),
		})},
		discoverytest.Case{Name: "plain", Collector: over(fstest.MapFS{"etc/resolv.conf": file("nameserver fd00::1%eth0\n")})},
		discoverytest.Case{Name: "none", Collector: over(fstest.MapFS{})},
	)
}

func FuzzParse(f *testing.F) {
	f.Add("nameserver a\nsearch\nsearch b\noptions c\n")
	f.Fuzz(func(t *testing.T, text string) {
		var b kind.Facts
		b.Servers, b.Search, b.Options = parse(text)
		if _, err := discovery.NewFact(kind.Kind, "", b); err != nil {
			t.Error(err)
		}
	})
}
