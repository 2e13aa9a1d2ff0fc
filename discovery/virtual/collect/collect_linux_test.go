package collect

import (
	"encoding/xml"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/virtual"
)

func file(t testing.TB, name string) *fstest.MapFile {
	b, err := os.ReadFile("../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b}
}

// libvirt is a host of two defined guests, one of which runs, and of one that was
// never defined.
func libvirt(t testing.TB) fstest.MapFS {
	defined, running := file(t, "web.xml"), file(t, "web-running.xml")
	transient := strings.NewReplacer("running' reason", "paused' reason", "web", "build", "6b3e", "7777", "52:54:00:aa:00:01", "52:54:00:aa:00:09").Replace(string(running.Data))
	return fstest.MapFS{
		"etc/libvirt/qemu/web.xml": defined, "etc/libvirt/qemu/old.xml": file(t, "old.xml"), "run/libvirt/qemu/web.xml": running,
		"run/libvirt/qemu/build.xml": {Data: []byte(transient)}, "run/libvirt/qemu/web.pid": {Data: []byte("77")},
		"etc/libvirt/qemu/autostart/web.xml": {Data: []byte("../web.xml"), Mode: fs.ModeSymlink | 0o777},
		"etc/libvirt/qemu/networks/x.xml":    {Data: []byte("<network/>")}, "etc/libvirt/qemu/broken.xml": {Data: []byte("<domain><uuid>x")},
		"run/libvirt/qemu/other.xml": {Data: []byte("<other/>")},
	}
}

func proxmox(t testing.TB) fstest.MapFS {
	return fstest.MapFS{
		"etc/pve/qemu-server/100.conf": file(t, "100.conf"), "etc/pve/lxc/101.conf": file(t, "101.conf"),
		"etc/pve/qemu-server/102.conf":              {Data: []byte("template: 1\n")},
		"sys/fs/cgroup/qemu.slice/100.scope/x":      {},
		"sys/fs/cgroup/lxc/101/cgroup.procs":        {},
		"sys/fs/cgroup/system.slice/pve.service/xx": {},
	}
}

// closed is a system in which a file may not be read.
type closed struct{ fstest.MapFS }

func (c closed) Open(name string) (fs.File, error) {
	if name == "etc/libvirt/qemu/old.xml" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.MapFS.Open(name)
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "libvirt", Collector: func(t *testing.T) discovery.Collector { return New(libvirt(t), "") }},
		discoverytest.Case{Name: "proxmox", Collector: func(t *testing.T) discovery.Collector { return New(proxmox(t), "") }},
		discoverytest.Case{Name: "closed", Degraded: discovery.DACReadSearch, Collector: func(t *testing.T) discovery.Collector { return New(closed{libvirt(t)}, "") }},
		discoverytest.Case{Name: "none", Collector: func(*testing.T) discovery.Collector { return New(fstest.MapFS{}, "") }},
	)
}

func TestNoSecrets(t *testing.T) {
	facts, err := New(libvirt(t), "").Collect(t.Context())
	if err != nil || len(facts) != 1 || strings.Contains(string(facts[0].Body), "hunter2") {
		t.Errorf("%v, %v", facts, err)
	}
}

// TestXML holds the reader against encoding/xml.
func TestXML(t *testing.T) {
	for _, name := range []string{"web.xml", "web-running.xml", "old.xml"} {
		text := string(file(t, name).Data)
		got, err := parseXML(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if a, b := flat(got), elements(t, text); a != b {
			t.Errorf("%s:\n got %s\nwant %s", name, a, b)
		}
	}
	for _, bad := range []string{"", "text", "<a>", "<a></b>", "</a>", "<a", "<a b>", "<a b=c/>", "<a b='c/>", "<a/><b/>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a/>",
		"<a><!-- </a>", strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100), "<a>" + strings.Repeat("<b/>", maxNodes) + "</a>"} {
		if n, err := parseXML(bad); err == nil {
			t.Errorf("%.40q is read as %+v", bad, n)
		}
	}
	n, err := parseXML("<?xml version='1.0'?>\n<!-- a <b> -->\n<a b='1 &lt; 2' c = \"&#65;&#x42;\">x &amp; y &bogus; & z</a>\n")
	if err != nil || n.attributes["b"] != "1 < 2" || n.attributes["c"] != "AB" || n.text != "x & y \uFFFD & z" {
		t.Errorf("%+v, %v", n, err)
	}
}

// flat lists the elements of a document in their order.
func flat(n *node) string {
	out := "<" + n.name
	for _, name := range []string{"type", "dev", "file", "address", "unit", "machine", "network", "state"} {
		if value, has := n.attributes[name]; has {
			out += " " + name + "=" + value
		}
	}
	for _, child := range n.children {
		out += flat(child)
	}
	return out + ">"
}

func elements(t *testing.T, text string) (out string) {
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			out += "<" + token.Name.Local
			for _, name := range []string{"type", "dev", "file", "address", "unit", "machine", "network", "state"} {
				for _, a := range token.Attr {
					if a.Name.Local == name {
						out += " " + name + "=" + a.Value
					}
				}
			}
		case xml.EndElement:
			out += ">"
		}
	}
}

func FuzzGuest(f *testing.F) {
	for _, name := range []string{"web.xml", "old.xml", "100.conf", "101.conf"} {
		f.Add(string(file(f, name).Data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		content := &fstest.MapFile{Data: []byte(text)}
		facts, _ := New(fstest.MapFS{
			"etc/libvirt/qemu/a.xml": content, "run/libvirt/qemu/a.xml": {Data: []byte("<domstatus state='x'>" + text + "</domstatus>")},
			"etc/pve/qemu-server/1.conf": content, "etc/pve/lxc/2.conf": content,
		}, "").Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := New(libvirt(b), "")
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
