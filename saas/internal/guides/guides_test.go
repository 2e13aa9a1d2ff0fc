package guides

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/docs"
)

func TestLinksLeadFromPageToPage(t *testing.T) {
	all, err := Read(fstest.MapFS{
		"install.md":  {Data: []byte("# Installing\n\nSee [kinds](kinds/os.md#fields), [code](../wire/doc.go), [site](https://example.org) and <script>alert(1)</script>.\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n")},
		"kinds/os.md": {Data: []byte("# os\n\nBack to [installing](../install.md).\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].ID != "install" || all[0].Title != "Installing" || all[0].Group != "Begin" || all[1].ID != "kinds-os" || all[1].Group != kinds {
		t.Fatalf("%+v", all)
	}
	for _, want := range []string{`href="/guides/kinds-os#fields"`, ", code, ", `href="https://example.org"`, `<td align="right">2</td>`} {
		if !strings.Contains(all[0].HTML, want) {
			t.Errorf("%q is not in %s", want, all[0].HTML)
		}
	}
	for _, never := range []string{"<script", "style=", "doc.go", "<h1"} {
		if strings.Contains(all[0].HTML, never) {
			t.Errorf("%q is in %s", never, all[0].HTML)
		}
	}
	if !strings.Contains(all[1].HTML, `href="/guides/install"`) {
		t.Error(all[1].HTML)
	}
}

// Every link of our guides leads somewhere.
func TestOurGuides(t *testing.T) {
	all, err := Read(docs.Files)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, g := range all {
		if ids[g.ID] {
			t.Errorf("two guides are %s", g.ID)
		}
		ids[g.ID] = true
	}
	link := regexp.MustCompile(`href="(/guides/)?([^"#]*)`)
	for _, g := range all {
		if g.HTML == "" || strings.Contains(g.HTML, "style=") || strings.Contains(g.HTML, "<img") {
			t.Errorf("%s cannot be shown", g.ID)
		}
		for _, m := range link.FindAllStringSubmatch(g.HTML, -1) {
			if m[1] == "" && m[2] != "" && !strings.Contains(m[2], "://") || m[1] != "" && !ids[m[2]] {
				t.Errorf("%s leads to %s", g.ID, m[0])
			}
		}
	}
	s := &Service{all}
	if n := len(s.find("residency SITE")); n == 0 || n == len(all) {
		t.Errorf("%d guides found", n)
	}
	if len(s.find("")) != len(all) || len(s.find("nothing-has-this")) != 0 {
		t.Error("the search finds the wrong ones")
	}
}
