package depmap

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func text(s string) *string { return &s }

// shop is a browser's machine, two web servers and their database, which also
// uses an address without a probe, and a host that nobody speaks with.
func shop() sight {
	s := sight{title: "all sites", hosts: []host{{"db", "db1", "up", "paris"}, {"idle", "idle1", "up", "paris"}, {"w1", "web1", "up", "paris"}, {"w2", "web2", "silent", "paris"}}}
	for _, web := range []string{"w1", "w2"} {
		s.links = append(s.links, link{web + "/nginx", "nginx", web, "r|10.0.0.9|tcp|5432", "10.0.0.9", "tcp", 5432, text("db/pg"), text("postgres"), text("db"), nil})
	}
	s.links = append(s.links, link{"db/pg", "postgres", "db", "public|192.0.2.1|tcp|443", "192.0.2.1", "tcp", 443, nil, nil, nil, nil})
	return s
}

func node(t *testing.T, m Map, label string) Node {
	t.Helper()
	for _, n := range m.Nodes {
		if n.Label == label {
			return n
		}
	}
	t.Fatalf("no node %q in %v", label, m.Nodes)
	return Node{}
}

func TestClientsStandLeftOfWhatTheyUse(t *testing.T) {
	m := draw(shop(), nil, noVendor)
	web, db, outside, idle := node(t, m, "web1"), node(t, m, "db1"), node(t, m, "192.0.2.1"), node(t, m, "idle1")
	if !(web.X < db.X && db.X < outside.X) {
		t.Errorf("web %d, db %d, outside %d: not from left to right", web.X, db.X, outside.X)
	}
	if web.X != node(t, m, "web2").X {
		t.Error("two hosts of one tier stand in two columns")
	}
	if idle.Y-idle.H/2 < db.Y+db.H/2 {
		t.Error("the host without dependencies stands among the others")
	}
	if endpoint, service := node(t, m, "10.0.0.9:5432/tcp"), node(t, m, "postgres"); endpoint.X > service.X || endpoint.Parent != "db" || service.Parent != "db" {
		t.Errorf("endpoint %+v, service %+v", endpoint, service)
	}
	want := []string{"connects:service:db/pg>endpoint:public|192.0.2.1|tcp|443", "connects:service:w1/nginx>endpoint:r|10.0.0.9|tcp|5432",
		"connects:service:w2/nginx>endpoint:r|10.0.0.9|tcp|5432", "listens:endpoint:r|10.0.0.9|tcp|5432>service:db/pg"}
	var got []string
	for _, e := range m.Edges {
		got = append(got, e.ID)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("edges %q", got)
	}
}

// TestNothingOverlaps draws random estates, cycles included: the same picture
// whatever the order of rows, no box on another, and all within the frame.
func TestNothingOverlaps(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := sight{focus: "h0"}
		n := 1 + r.IntN(60)
		for i := range n {
			s.hosts = append(s.hosts, host{ID: fmt.Sprintf("h%d", i), Name: fmt.Sprintf("host%d", i), State: "up"})
		}
		for range r.IntN(200) {
			client, server, port := r.IntN(n), r.IntN(n), 1+r.IntN(5)
			l := link{fmt.Sprintf("h%d/c%d", client, r.IntN(3)), "client", fmt.Sprintf("h%d", client), fmt.Sprintf("r|10.0.0.%d|tcp|%d", server, port), fmt.Sprintf("10.0.0.%d", server), "tcp", port, nil, nil, nil, nil}
			if server%3 > 0 {
				l.Server, l.ServerName, l.ServerHost = text(fmt.Sprintf("h%d/s", server)), text("server"), text(fmt.Sprintf("h%d", server))
			}
			s.links = append(s.links, l)
		}
		for i := range r.IntN(30) {
			s.listeners = append(s.listeners, listener{fmt.Sprintf("h0/l%d", i/4), "daemon", fmt.Sprintf("r|::%d|udp|%d", i, i/2+1), fmt.Sprintf("::%d", i), "udp", i/2 + 1})
		}
		m := draw(s, nil, noVendor)
		r.Shuffle(len(s.links), func(i, j int) { s.links[i], s.links[j] = s.links[j], s.links[i] })
		if again := draw(s, nil, noVendor); n < maxOutside && !reflect.DeepEqual(m, again) {
			t.Fatalf("seed %d: another order of rows, another picture", seed)
		}
		seen := map[string]Node{}
		for i, a := range m.Nodes {
			if seen[a.ID] = a; a.X-a.W/2 < 0 || a.Y-a.H/2 < 0 || a.X+a.W/2 > m.Width || a.Y+a.H/2 > m.Height {
				t.Fatalf("seed %d: %s at %d,%d of %dx%d is outside %dx%d", seed, a.ID, a.X, a.Y, a.W, a.H, m.Width, m.Height)
			}
			if p := seen[a.Parent]; a.Parent != "" && (p.ID == "" || a.X-a.W/2 < p.X-p.W/2 || a.X+a.W/2 > p.X+p.W/2 || a.Y-a.H/2 < p.Y-p.H/2 || a.Y+a.H/2 > p.Y+p.H/2) {
				t.Fatalf("seed %d: %s is outside its box", seed, a.ID)
			}
			for _, b := range m.Nodes[:i] {
				if a.Parent == b.Parent && 2*abs(a.X-b.X) < a.W+b.W && 2*abs(a.Y-b.Y) < a.H+b.H {
					t.Fatalf("seed %d: %s lies on %s", seed, a.ID, b.ID)
				}
			}
		}
		for _, e := range m.Edges {
			if seen[e.Source].ID == "" || seen[e.Target].ID == "" {
				t.Fatalf("seed %d: edge %s leads nowhere", seed, e.ID)
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	s := shop()
	s.leftOut.Hosts = 2
	for i := range maxOutside + 3 {
		ip := fmt.Sprintf("192.0.2.%d", i+10)
		s.links = append(s.links, link{"w1/nginx", "nginx", "w1", "public|" + ip + "|udp|53", ip, "udp", 53, nil, nil, nil, nil})
	}
	m := draw(s, nil, noVendor)
	if m.LeftOut != (LeftOut{Hosts: 2, Addresses: 4}) || m.Note != "Left out, to stay readable: 2 hosts, 4 addresses without a probe." {
		t.Errorf("%+v %q", m.LeftOut, m.Note)
	}
	if empty := draw(sight{}, nil, noVendor); empty.Nodes == nil || empty.Edges == nil || empty.Note != "" {
		t.Errorf("an empty map: %+v", empty)
	}
}

func TestThePictureHoldsNoMarkupOfHosts(t *testing.T) {
	s := shop()
	s.hosts[0].Name, s.title, s.links[0].ClientName = `<script>alert("x")</script>`, `"><b>`, `'&<i>`
	var b strings.Builder
	if err := draw(s, nil, noVendor).WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<b>", "<i>"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q is in the picture", bad)
		}
	}
}
