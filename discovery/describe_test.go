package discovery_test

import (
	"slices"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
)

func TestEveryKindIsDescribed(t *testing.T) {
	for _, kind := range []discovery.Kind{os.Kind, network.Kind, neighbours.Kind, sockets.Kind, packages.Kind} {
		fields, err := discovery.Describe(kind)
		if err != nil {
			t.Error(err)
		}
		for _, f := range fields {
			leaf := f.Shape != discovery.Object && f.Shape != discovery.Items
			if leaf != (f.Class != "") {
				t.Errorf("kind %s, field %s: class %q of shape %s", kind.Name, f.Path, f.Class, f.Shape)
			}
			if kind.Public && leaf && f.Class != discovery.ClassPublic {
				t.Errorf("kind %s is public, its field %s is %s", kind.Name, f.Path, f.Class)
			}
			if f.Shape == discovery.Items && len(f.Key) == 0 {
				t.Errorf("kind %s, list %s has no key", kind.Name, f.Path)
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	fields, err := discovery.Describe(sockets.Kind)
	if err != nil {
		t.Fatal(err)
	}
	find := func(path string) discovery.Field {
		i := slices.IndexFunc(fields, func(f discovery.Field) bool { return f.Path == path })
		if i < 0 {
			t.Fatalf("no field %s in %v", path, fields)
		}
		return fields[i]
	}
	if f := find("services[].argv"); f.Shape != discovery.List || f.Class != discovery.ClassPersonal || !f.Optional {
		t.Errorf("argv: %+v", f)
	}
	if f := find("services[].listens"); f.Shape != discovery.Items || !slices.Equal(f.Key, []string{"protocol", "ip", "port", "device"}) {
		t.Errorf("listens: %+v", f)
	}
	if f := find("services[].listens[].port"); f.Shape != discovery.Integer || f.Class != discovery.ClassInternal {
		t.Errorf("port: %+v", f)
	}
}

func TestDescribeRefuses(t *testing.T) {
	type item struct {
		A string `json:"a" class:"public"`
	}
	for name, body := range map[string]any{
		"no body":   nil,
		"no struct": 1,
		"no class": struct {
			A string `json:"a"`
		}{},
		"unknown class": struct {
			A string `json:"a" class:"secret"`
		}{},
		"no key": struct {
			A []item `json:"a"`
		}{},
		"wrong key": struct {
			A []item `json:"a" key:"b"`
		}{},
		"wrong title": struct {
			A []item `json:"a" key:"a" title:"a:b"`
		}{},
		"float": struct {
			A float64 `json:"a" class:"public"`
		}{},
		"no name": struct {
			A string `class:"public"`
		}{},
	} {
		if fields, err := discovery.Describe(discovery.Kind{Name: "k", Body: body}); err == nil {
			t.Errorf("%s: described as %v", name, fields)
		}
	}
}
