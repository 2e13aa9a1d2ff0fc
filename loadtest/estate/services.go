package estate

import (
	"cmp"
	"slices"

	"assimilation/discovery/sockets"
)

// programs are what hosts of a role run.
var programs = map[string]struct {
	name, exe string
	port      int64
	uid       int64
}{
	balancer:   {"haproxy", "/usr/sbin/haproxy", 443, 101},
	web:        {"nginx", "/usr/sbin/nginx", 443, 33},
	appServer:  {"java", "/usr/lib/jvm/java-17-openjdk-amd64/bin/java", 8080, 1001},
	database:   {"postgres", "/usr/lib/postgresql/16/bin/postgres", 5432, 110},
	cache:      {"redis-server", "/usr/bin/redis-check-rdb", 6379, 112},
	queue:      {"beam.smp", "/usr/lib/erlang/erts-13.1.5/bin/beam.smp", 5672, 113},
	batch:      {"python3.11", "/usr/bin/python3.11", 9000, 1002},
	monitoring: {"rsyslogd", "/usr/sbin/rsyslogd", 514, 0},
}

// openedPort is what a host listens on that opened a port.
const openedPort = 8443

// services are what the host listens on and connects to.
func (e *Estate) services(h Host, opened bool) sockets.Facts {
	random := e.random(forServices, h.number)
	here := address(h.at)
	listen := func(port int64) []sockets.Listen {
		return []sockets.Listen{{Protocol: "tcp", IP: here, Port: port, Wildcard: "0.0.0.0"}}
	}
	program := programs[h.Role]
	main := sockets.Service{
		Name: program.name, Exe: program.exe, Argv: []string{program.exe, "-c", "/etc/" + program.name + "/" + program.name + ".conf"},
		UID: program.uid, GID: program.uid, Listens: listen(program.port),
	}
	connect := func(at int, role string) {
		main.Connects = append(main.Connects, sockets.Connect{Protocol: "tcp", IP: address(at), Port: programs[role].port})
	}
	some := func(role string, most int) {
		hosts := h.app.tier(role)
		if len(hosts) == 0 {
			return
		}
		first := random.IntN(len(hosts))
		for i := range min(most, len(hosts)) {
			if at := hosts[(first+i)%len(hosts)]; at != h.at && at%collectorFor != 0 {
				connect(at, role)
			}
		}
	}
	switch h.Role {
	case balancer:
		some(web, 24)
	case web:
		some(appServer, 2)
	case appServer:
		some(database, 1)
		some(cache, 1)
		some(queue, 1)
		for _, other := range h.app.calls {
			callee := h.Site.apps[other]
			if at := callee.entrance(); at%collectorFor != 0 {
				connect(at, callee.roleOf(0))
			}
		}
	case batch:
		some(database, 1)
		some(queue, 1)
	case database:
		if primary := h.app.tier(database)[0]; primary != h.at && primary%collectorFor != 0 {
			connect(primary, database)
		}
	}
	main.Connects = distinct(main.Connects)
	list := []sockets.Service{
		{Name: "sshd", Exe: "/usr/sbin/sshd", Argv: []string{"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"}, Listens: listen(22)},
		main,
	}
	if h.Role != monitoring {
		collector := h.at - h.at%collectorFor
		if h.at >= h.Site.hosts {
			collector = 0
		}
		list = append(list, sockets.Service{Name: "rsyslogd", Exe: "/usr/sbin/rsyslogd", Argv: []string{"/usr/sbin/rsyslogd", "-n", "-iNONE"},
			Connects: []sockets.Connect{{Protocol: "tcp", IP: address(collector), Port: programs[monitoring].port}}})
	}
	if random.IntN(5) < 2 {
		list = append(list, sockets.Service{Name: "prometheus-node", Exe: "/usr/bin/prometheus-node-exporter", Argv: []string{"/usr/bin/prometheus-node-exporter"},
			UID: 114, GID: 119, Listens: listen(9100)})
	}
	if opened {
		list = append(list, sockets.Service{Name: "debug", Exe: "/opt/debug/bin/debug", Argv: []string{"/opt/debug/bin/debug", "--listen", ":8443"},
			UID: 1003, GID: 1003, Listens: listen(openedPort)})
	}
	return sockets.Facts{Services: list}
}

func distinct(list []sockets.Connect) []sockets.Connect {
	slices.SortFunc(list, func(a, b sockets.Connect) int { return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Port, b.Port)) })
	return slices.Compact(list)
}
