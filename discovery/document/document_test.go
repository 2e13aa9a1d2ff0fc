package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"assimilation/cmdb"
)

func TestEveryKindHasAPage(t *testing.T) {
	t.Chdir("../..")
	pages, err := readPages()
	if err != nil {
		t.Fatal(err)
	}
	list := table(pages)
	for i := range pages {
		p := &pages[i]
		name := p.kind.Name
		if !strings.Contains(list, "(kinds/"+name+".md)") {
			t.Errorf("%s is not in the table", name)
		}
		text := p.markdown()
		for _, f := range p.fields {
			if !strings.Contains(text, "`"+f.Path+"`") {
				t.Errorf("the page of %s lacks %s", name, f.Path)
			}
		}
		encoded, err := p.schema()
		if err != nil {
			t.Fatal(err)
		}
		var schema struct {
			Required   []string
			Properties map[string]json.RawMessage
		}
		var sample map[string]json.RawMessage
		if json.Unmarshal([]byte(encoded), &schema) != nil || json.Unmarshal([]byte(p.sample.body), &sample) != nil {
			t.Errorf("schema or sample of %s is not JSON", name)
		}
		for _, field := range schema.Required {
			if sample[field] == nil {
				t.Errorf("the sample of %s lacks %s, which the schema requires", name, field)
			}
		}
		for field := range sample {
			if schema.Properties[field] == nil {
				t.Errorf("the sample of %s has %s, which the schema lacks", name, field)
			}
		}
	}
}

func TestTheGraphIsDescribedWhole(t *testing.T) {
	t.Chdir("../..")
	pages, err := readPages()
	if err != nil {
		t.Fatal(err)
	}
	text, err := graph(pages)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range cmdb.Vertices {
		if !strings.Contains(text, "\n| "+string(v.Label)+" | ") {
			t.Errorf("label %s is missing", v.Label)
		}
	}
	for _, e := range cmdb.Edges {
		if !strings.Contains(text, string(e.From)+" -->|"+string(e.Type)+"| "+string(e.To)) {
			t.Errorf("edge %s is not drawn", e.Type)
		}
	}
}

func TestPlain(t *testing.T) {
	for d, want := range map[time.Duration]string{5 * time.Second: "5s", 20 * time.Second: "20s", 15 * time.Minute: "15m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Hour: "10h"} {
		if got := plain(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
