package process

import (
	"strings"
	"testing"

	"assimilation/discovery"
)

func TestServices(t *testing.T) {
	fact := func(body string) discovery.Fact { return discovery.Fact{Body: []byte(body)} }
	var got []string
	for _, s := range Services([]discovery.Fact{fact(`{"services":[{"name":"eve","uid":1000},{"name":"sshd","uid":0},{"name":"unknown","uid":-1}]}`), fact("no JSON"),
		fact(`{"services":[{"name":"www","uid":33}]}`)}) {
		got = append(got, s.Get("name").Text())
	}
	if want := "sshd www eve unknown"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}
