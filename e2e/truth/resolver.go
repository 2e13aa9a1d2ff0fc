package truth

import (
	"os"
	"strings"

	"assimilation/discovery/dns"
)

// resolverProgram prints what resolv.conf(5) says: of search lists the last holds,
// of servers the first three are asked.
const resolverProgram = `/^[ \t]*[#;]/ { next }
	$1 == "nameserver" { print "server " $2 }
	$1 == "search" || $1 == "domain" { search = ""; for (i = 2; i <= NF; i++) search = search "search " $i "\n" }
	$1 == "options" { for (i = 2; i <= NF; i++) print "option " $i }
	END { printf "%s", search }`

func readResolver(r Reading) error {
	out, err := awk(resolverProgram, "/etc/resolv.conf")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		r.Must.add(Resolver, strings.TrimSpace(line))
	}
	target, err := os.Readlink("/etc/resolv.conf")
	if err == nil {
		r.Must.add(Resolver, "link to "+target)
	}
	return nil
}

func serviceResolver(assim, host string, r Records) error {
	facts, err := bodies[dns.Facts](assim, host, dns.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for word, list := range map[string][]string{"server ": f.Servers, "search ": f.Search, "option ": f.Options} {
			for _, value := range list {
				r.add(Resolver, word+value)
			}
		}
		if f.Target != "" {
			r.add(Resolver, "link to "+f.Target)
		}
	}
	return nil
}
