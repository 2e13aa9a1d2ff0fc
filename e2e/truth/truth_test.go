package truth

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func records(c Class, lines ...string) Records {
	r := Records{}
	for _, line := range lines {
		r.add(c, line)
	}
	return r
}

func TestCompareCountsWhatStoodInBothReadings(t *testing.T) {
	before := Reading{Must: records(Packages, "a", "going"), May: records(Packages, "young")}
	after := Reading{Must: records(Packages, "a", "coming")}
	for _, test := range []struct {
		name           string
		service        []string
		missing, extra string
	}{
		{"equal", []string{"a"}, "", ""},
		{"what came or went meanwhile counts for neither side", []string{"a", "going", "coming"}, "", ""},
		{"a young record may be there", []string{"a", "young"}, "", ""},
		{"missing", nil, "a", ""},
		{"extra", []string{"a", "b"}, "", "b"},
	} {
		d := Compare(before, after, records(Packages, test.service...))[Packages]
		if got := strings.Join(d.Missing, " "); got != test.missing {
			t.Errorf("%s: missing %q, want %q", test.name, got, test.missing)
		}
		if got := strings.Join(d.Extra, " "); got != test.extra {
			t.Errorf("%s: extra %q, want %q", test.name, got, test.extra)
		}
	}
}

func TestRememberedNeighboursAreNoDifference(t *testing.T) {
	r := Reading{Must: records(Neighbours, "present")}
	if d := Compare(r, r, records(Neighbours, "present", "forgotten by the kernel"))[Neighbours]; d.Count() != 0 {
		t.Errorf("%+v", d)
	}
	if d := Compare(r, r, records(Neighbours, "forgotten by the kernel"))[Neighbours]; d.Count() != 1 {
		t.Errorf("a missing neighbour gives %+v", d)
	}
}

func TestProgramsThatEndedAreNoDifference(t *testing.T) {
	r := Reading{Must: records(Running, "/bin/a", "/bin/a runs /lib/c")}
	service := records(Running, "/bin/a", "/bin/a runs /lib/c", "/bin/b runs /lib/c")
	if d := Compare(r, r, service)[Running]; d.Count() != 0 {
		t.Errorf("%+v", d)
	}
	service.add(Running, "/bin/a runs /lib/d")
	if d := Compare(r, r, service)[Running]; d.Count() != 1 {
		t.Errorf("a library that is not mapped gives %+v", d)
	}
}

func TestDropOneMakesOneDifferenceInEachClass(t *testing.T) {
	r := newReading()
	for _, c := range Classes {
		r.Must.add(c, "one")
		r.Must.add(c, "two")
	}
	service := Records{}
	for c, set := range r.Must {
		service[c] = maps.Clone(set)
	}
	service.add(Neighbours, "forgotten by the kernel")
	for c, d := range Compare(r, r, DropOne(r, r, service)) {
		if d.Count() != 1 {
			t.Errorf("%s: %d differences", c, d.Count())
		}
	}
	if len(service[Packages]) != 2 {
		t.Error("DropOne changed its argument")
	}
}

func TestExpandWildcards(t *testing.T) {
	links := []ipLink{{Name: "lo"}, {Name: "eth0"}}
	add := func(link *ipLink, ip string) {
		link.Addresses = append(link.Addresses, struct {
			Local  string `json:"local"`
			Prefix int64  `json:"prefixlen"`
			Scope  string `json:"scope"`
		}{Local: ip})
	}
	add(&links[0], "127.0.0.1")
	add(&links[0], "::1")
	add(&links[1], "192.0.2.7")
	for _, test := range []struct{ host, want string }{
		{"*", "127.0.0.1 ::1 192.0.2.7"},
		{"0.0.0.0", "127.0.0.1 192.0.2.7"},
		{"[::]", "::1"},
		{"0.0.0.0%eth0", "192.0.2.7"},
		{"*%eth0", "192.0.2.7"},
		{"127.0.0.1", "127.0.0.1"},
		{"127.0.0.53%lo", "127.0.0.53"},
		{"[fe80::1]%eth0", "fe80::1"},
		{"[::ffff:127.0.0.1]", "::ffff:127.0.0.1"},
	} {
		got := expand(test.host, links)
		if strings.Join(got, " ") != test.want {
			t.Errorf("expand(%q) = %v, want %s", test.host, got, test.want)
		}
	}
}

func TestReadHostFindsEveryClassThatAnyHostHas(t *testing.T) {
	r, err := ReadHost()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Class{Packages, Links, Addresses, OS, Kernel, Users, Groups, Passwords, Mounts, Hardware, Vulnerabilities, Units, Files, Pam, LoginDefs} {
		if len(r.Must[c]) == 0 {
			t.Errorf("no %s", c)
		}
	}
	for c, why := range r.Unasked {
		t.Logf("%s: %s", c, why)
	}
	for c, set := range r.Must {
		t.Logf("%s: %d, such as %q", c, len(set), slices.Sorted(maps.Keys(set))[0])
	}
}
