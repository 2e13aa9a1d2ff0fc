package changes

import (
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"assimilation/discovery"
	"assimilation/discovery/kinds"
	"assimilation/discovery/packages"
	"assimilation/tenancy"
)

// pack makes a stored body of packages "name version".
func pack(t *testing.T, specs ...string) []byte {
	t.Helper()
	facts := packages.Facts{Manager: "dpkg", Packages: []packages.Package{}}
	for _, spec := range specs {
		name, version, _ := strings.Cut(spec, " ")
		facts.Packages = append(facts.Packages, packages.Package{Name: name, Version: version, Arch: "all"})
	}
	f, err := discovery.NewFact(packages.Kind, "0", facts)
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(f.Body, nil)
}

func TestDescribe(t *testing.T) {
	unpack, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unpack.Close()
	hash := []byte{1}
	var many []string
	for i := range maxDetails + 20 {
		many = append(many, "p"+string(rune('a'+i/26))+string(rune('a'+i%26))+" 1")
	}
	for _, test := range []struct {
		name    string
		v       version
		op      Op
		summary string
		details int
		more    int
	}{
		{"first", version{Hash: hash, Body: pack(t, "bash 1", "dash 1")}, Appeared, "first report: 2 packages", 0, -1},
		{"same but one", version{Hash: hash, Previous: hash, Body: pack(t, "bash 2"), PreviousBody: pack(t, "bash 1")}, Changed, "bash 1 -> 2 (all)", 1, 0},
		{"several", version{Hash: hash, Previous: hash, Body: pack(t, "bash 2", "new 1"), PreviousBody: pack(t, "bash 1", "old 1")}, Changed, "bash 1 -> 2 (all); new 1 installed (all); old 1 removed (all)", 3, 0},
		{"too many", version{Hash: hash, Previous: hash, Body: pack(t, many...), PreviousBody: pack(t)}, Changed, "paa 1 installed (all); pab 1 installed (all); pac 1 installed (all); and 67 more", maxDetails, 20},
		{"gone", version{Previous: hash, PreviousBody: pack(t, "bash 1", "dash 1")}, Gone, "no longer reported: 2 packages", 0, -1},
		{"body not kept", version{Hash: hash, Previous: hash, Body: pack(t, "bash 2")}, Changed, "no longer kept", 0, 0},
		{"body too large", version{Hash: hash, Previous: hash, PreviousBody: pack(t, "bash 2")}, Changed, "too large", 0, 0},
	} {
		test.v.Kind = packages.Kind.Name
		c := test.v.change()
		s := &Service{Kinds: kinds.Worded()}
		if err := s.describe(&c, test.v, unpack); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if c.Op != test.op || !strings.Contains(c.Summary, test.summary) || c.Details == nil {
			t.Errorf("%s: %s %q %v", test.name, c.Op, c.Summary, c.Details)
		}
		if test.more >= 0 && (len(c.Details) != test.details || c.More != test.more) {
			t.Errorf("%s: %d details and %d more, want %d and %d", test.name, len(c.Details), c.More, test.details, test.more)
		}
	}
	damaged := version{Hash: hash, Body: []byte("no zstd")}
	c := damaged.change()
	if err := (&Service{}).describe(&c, damaged, unpack); err == nil {
		t.Error("a damaged body is taken")
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(makeCursor(version{At: time.Unix(1, 2000), Relay: tenancy.NewID[tenancy.RelayID](), Epoch: 1, Seq: 2, Kind: "os", Instance: "a b"}))
	f.Add("eCB5IHogMSAyIDMgNA")
	f.Fuzz(func(t *testing.T, cursor string) {
		if p, err := parseCursor(cursor); err == nil && p.at == nil {
			t.Errorf("%q is taken and says no time", cursor)
		}
	})
}
