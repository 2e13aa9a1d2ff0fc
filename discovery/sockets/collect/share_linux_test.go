package collect

import (
	"fmt"
	"strings"
	"testing"

	"assimilation/discovery"
	kind "assimilation/discovery/sockets"
)

// Whoever runs very many services with very long arguments hides none of another
// user's: the fact would be refused as a whole if it were too large.
func TestOneUserHidesNoOther(t *testing.T) {
	found := newEndpoints()
	listen := func(s kind.Service) {
		found.listen(&identity{key: fmt.Sprint(s.UID, s.Argv), service: s}, []kind.Listen{{Protocol: "tcp", IP: "127.0.0.1", Port: 443}})
	}
	for i := range 1000 {
		argv := []string{fmt.Sprint(i)}
		for range 63 {
			argv = append(argv, strings.Repeat(`"`, 256))
		}
		listen(kind.Service{Name: "a", Exe: "/home/a", Argv: argv, UID: 1000, GID: 1000})
	}
	listen(kind.Service{Name: "sshd", Exe: "/usr/sbin/sshd", Argv: []string{"sshd"}})
	body, cut := found.facts(&clients{})
	fact, err := discovery.NewFact(kind.Kind, "", body)
	if err != nil || !cut {
		t.Fatalf("%d services of %d bytes, cut %v: %v", len(body.Services), len(fact.Body), cut, err)
	}
	if last := body.Services[len(body.Services)-1]; last.Name != "sshd" || len(body.Services) < 100 {
		t.Errorf("%d services, the last is %s", len(body.Services), last.Name)
	}
}
