package residency_test

import (
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/kinds"
	"assimilation/discovery/residency"
)

type facts struct {
	Name  string `json:"name" class:"internal"`
	Rack  string `json:"rack,omitempty" class:"topology"`
	Inner struct {
		Room  string   `json:"room" class:"topology"`
		Count int64    `json:"count" class:"public"`
		Tags  []string `json:"tags" class:"internal"`
	} `json:"inner"`
	Wires []struct {
		Device  string `json:"device" class:"internal"`
		Port    string `json:"port" class:"topology"`
		Members []struct {
			Switch string `json:"switch" class:"topology"`
			Speed  int64  `json:"speed" class:"internal"`
		} `json:"members" key:"switch"`
	} `json:"wires" key:"device"`
}

func rules(t *testing.T, all ...discovery.Kind) *residency.Rules {
	t.Helper()
	r, err := residency.New(all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExtent(t *testing.T) {
	r := rules(t, append(kinds.All(), discovery.Kind{Name: "mixed", Version: 2, Body: facts{}})...)
	for _, c := range []struct {
		kind   string
		schema int
		want   residency.Extent
	}{
		{"os", 1, residency.Whole}, {"packages", 1, residency.Whole}, {"seen", 1, residency.Whole},
		{"switchport", 1, residency.Nothing},
		{"mixed", 2, residency.Part}, {"mixed", 1, residency.Part}, {"mixed", 3, residency.Newer}, {"switchport", 2, residency.Nothing},
		{"of-tomorrow", 1, residency.Unknown}, {"x-ours", 9, residency.Whole},
	} {
		if got := r.Extent(c.kind, c.schema); got != c.want {
			t.Errorf("%s %d: %d, want %d", c.kind, c.schema, got, c.want)
		}
	}
}

func TestNameTellsRulesApart(t *testing.T) {
	all := kinds.All()
	name := rules(t, all...).Name()
	if rules(t, all...).Name() != name {
		t.Error("the same rules have two names")
	}
	if rules(t, all[1:]...).Name() == name {
		t.Error("other rules have the same name")
	}
}

func TestRedact(t *testing.T) {
	r := rules(t, discovery.Kind{Name: "mixed", Version: 1, Body: facts{}})
	for _, c := range []struct{ name, body, want string }{
		{"all of it",
			`{"inner":{"count":9007199254740993,"room":"CANARY","tags":["a"]},"name":"n","rack":"CANARY","wires":[{"device":"eth0","members":[{"speed":1,"switch":"CANARY"}],"port":"CANARY"}]}`,
			`{"inner":{"count":9007199254740993,"tags":["a"]},"name":"n","wires":[{"device":"eth0"}]}`},
		{"fields that nobody knows", `{"name":"n","position":"CANARY","wires":[{"device":"a","new":{"deep":"CANARY"}}]}`, `{"name":"n","wires":[{"device":"a"}]}`},
		{"wrong shapes", `{"inner":["CANARY"],"name":{"x":"CANARY"},"wires":"CANARY"}`, `{}`},
		{"wrong shapes within", `{"inner":{"tags":[{"x":"CANARY"},["CANARY"]]},"wires":[["CANARY"],"CANARY"]}`, `{"inner":{"tags":[]},"wires":[]}`},
		{"no object", `["CANARY"]`, `{}`},
	} {
		got, err := r.Redact("mixed", []byte(c.body))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
		if again, err := r.Redact("mixed", got); err != nil || string(again) != string(got) {
			t.Errorf("%s: redacting twice makes %s, %v", c.name, again, err)
		}
	}
	if _, err := r.Redact("mixed", []byte(`{"name":`)); err == nil {
		t.Error("half a body was redacted")
	}
}

func TestPlaceLabel(t *testing.T) {
	for name, want := range map[string]bool{
		"rack": true, "Zone": true, "topology.example/zone": true, "server-room": true, "switch_port": true, "rack7": true,
		"role": false, "env": false, "owner": false, "support": false, "trace": false, "": false,
	} {
		if got := residency.PlaceLabel(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	r, err := residency.New([]discovery.Kind{{Name: "mixed", Version: 1, Body: facts{}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"inner":{"count":1},"name":"n","wires":[{"device":"eth0","port":"1/1"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if discovery.CheckCanonical(body) != nil {
			return
		}
		left, err := r.Redact("mixed", body)
		if err != nil {
			t.Fatalf("a canonical body was not redacted: %v", err)
		}
		if err := discovery.CheckCanonical(left); err != nil {
			t.Fatalf("%s: %v", left, err)
		}
	})
}
