package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/netlab"
	kind "assimilation/discovery/network"
)

// TestAgainstIP holds the fact against what ip(8) prints of the same links,
// in a laboratory.
func TestAgainstIP(t *testing.T) {
	lab := newLab(t)
	fact := collectIn(t, lab)
	compareLists(t, "links", linksOfIP(t, lab), ours(fact.Links, lineOfLink))
	compareLists(t, "addresses", addressesOfIP(t, lab), addressLines(fact.Links))
	compareLists(t, "routes", append(routesOfIP(t, lab, "-4"), routesOfIP(t, lab, "-6")...), ours(fact.Routes, lineOfRoute))
	var private []string
	for _, l := range fact.Links {
		if l.Private {
			private = append(private, l.Name)
		}
	}
	if want := []string{"br0"}; !slices.Equal(private, want) {
		t.Errorf("private links are %v, want %v", private, want)
	}
}

func collectIn(t *testing.T, lab *netlab.Net) kind.Facts {
	t.Helper()
	var facts []discovery.Fact
	var err error
	lab.Do(func() { facts, err = Local().Collect(context.Background()) })
	if err != nil {
		t.Fatal(err)
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func ours[T any](items []T, line func(T) string) []string {
	var out []string
	for _, i := range items {
		out = append(out, line(i))
	}
	return out
}

func lineOfLink(l kind.Link) string {
	return fmt.Sprintln(l.Name, l.Kind, l.Type, l.MAC, l.MTU, l.AdminUp, l.OperState, l.Master, l.Parent)
}

func addressLines(links []kind.Link) []string {
	var out []string
	for _, l := range links {
		for _, a := range l.Addresses {
			out = append(out, fmt.Sprintln(l.Name, a.IP, a.Prefix, a.Scope, a.Peer, a.Dynamic, a.Temporary))
		}
	}
	return out
}

func lineOfRoute(r kind.Route) string {
	return fmt.Sprintln(r.Family, r.Table, r.Destination, r.Gateway, r.Device, r.Source, r.Metric, r.Protocol, r.Scope, r.Type, r.NextHops)
}

type ipLink struct {
	Name     string   `json:"ifname"`
	Flags    []string `json:"flags"`
	MTU      int64    `json:"mtu"`
	State    string   `json:"operstate"`
	Type     string   `json:"link_type"`
	MAC      string   `json:"address"`
	Master   string   `json:"master"`
	Link     string   `json:"link"`
	LinkInfo struct {
		Kind string `json:"info_kind"`
	} `json:"linkinfo"`
	Addresses []struct {
		Local     string `json:"local"`
		Address   string `json:"address"`
		Prefix    int64  `json:"prefixlen"`
		Scope     string `json:"scope"`
		Dynamic   bool   `json:"dynamic"`
		Temporary bool   `json:"temporary"`
	} `json:"addr_info"`
}

func readIP[T any](t *testing.T, lab *netlab.Net, line string) []T {
	t.Helper()
	var out []T
	if err := json.Unmarshal(lab.Run(t, line), &out); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out
}

func linksOfIP(t *testing.T, lab *netlab.Net) []string {
	var out []string
	for _, l := range readIP[ipLink](t, lab, "ip -d -j addr") {
		if l.Type == "loopback" {
			l.MAC = ""
		}
		out = append(out, lineOfLink(kind.Link{
			Name: l.Name, Kind: l.LinkInfo.Kind, Type: l.Type, MAC: l.MAC, MTU: l.MTU,
			AdminUp: slices.Contains(l.Flags, "UP"), OperState: strings.ToLower(l.State), Master: l.Master, Parent: l.Link,
		}))
	}
	return out
}

func addressesOfIP(t *testing.T, lab *netlab.Net) []string {
	var links []kind.Link
	for _, l := range readIP[ipLink](t, lab, "ip -j addr") {
		link := kind.Link{Name: l.Name}
		for _, a := range l.Addresses {
			link.Addresses = append(link.Addresses, kind.Address{
				IP: a.Local, Prefix: a.Prefix, Scope: a.Scope, Peer: a.Address, Dynamic: a.Dynamic, Temporary: a.Temporary,
			})
		}
		links = append(links, link)
	}
	return addressLines(links)
}

type ipHop struct {
	Gateway string `json:"gateway"`
	Via     struct {
		Host string `json:"host"`
	} `json:"via"`
	Device string `json:"dev"`
	Weight int64  `json:"weight"`
}

type ipRoute struct {
	ipHop
	Type     string  `json:"type"`
	To       string  `json:"dst"`
	Protocol string  `json:"protocol"`
	Scope    string  `json:"scope"`
	Source   string  `json:"prefsrc"`
	Metric   int64   `json:"metric"`
	Table    string  `json:"table"`
	Hops     []ipHop `json:"nexthops"`
}

func routesOfIP(t *testing.T, lab *netlab.Net, family string) []string {
	var out []string
	for _, r := range readIP[ipRoute](t, lab, "ip "+family+" -d -N -j route show table all") {
		if r.Table == "255" {
			continue
		}
		out = append(out, lineOfRoute(routeOfIP(t, r, family)))
	}
	return out
}

// routeOfIP undoes the abbreviations of ip -d -N.
func routeOfIP(t *testing.T, r ipRoute, family string) kind.Route {
	out := kind.Route{Family: "inet", Table: 254, Destination: r.To, Source: r.Source, Metric: r.Metric}
	every, bits := "0.0.0.0/0", "/32"
	if family == "-6" {
		out.Family, every, bits = "inet6", "::/0", "/128"
	}
	if r.To == "default" {
		out.Destination = every
	} else if _, err := netip.ParseAddr(r.To); err == nil {
		out.Destination += bits
	}
	if r.Table != "" {
		if _, err := fmt.Sscan(r.Table, &out.Table); err != nil {
			t.Fatal(err)
		}
	}
	number := func(text string, names map[uint8]string) string {
		var n uint8
		if _, err := fmt.Sscan(text, &n); err != nil {
			return text
		}
		if names[n] == "" {
			return text
		}
		return names[n]
	}
	out.Protocol = number(r.Protocol, map[uint8]string{2: "kernel", 3: "boot", 4: "static", 9: "ra", 186: "bgp"})
	out.Scope = number(r.Scope, map[uint8]string{0: "global", 253: "link", 254: "host", 255: "nowhere"})
	out.Type = number(r.Type, map[uint8]string{1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit"})
	hop := func(h ipHop) kind.NextHop {
		if h.Via.Host != "" {
			h.Gateway = h.Via.Host
		}
		return kind.NextHop{Gateway: h.Gateway, Device: h.Device, Weight: h.Weight}
	}
	single := hop(r.ipHop)
	out.Gateway, out.Device = single.Gateway, single.Device
	for _, h := range r.Hops {
		out.NextHops = append(out.NextHops, hop(h))
	}
	slices.SortFunc(out.NextHops, func(a, b kind.NextHop) int { return strings.Compare(a.Gateway+a.Device, b.Gateway+b.Device) })
	return out
}

func compareLists(t *testing.T, what string, want, got []string) {
	t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	if len(want) == 0 || !slices.Equal(want, got) {
		t.Errorf("%s:\nip says\n%s\nthe fact says\n%s", what, strings.Join(want, ""), strings.Join(got, ""))
	}
}

// TestWatch makes a change of each sort and waits to be told.
func TestWatch(t *testing.T) {
	lab := netlab.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	changed := make(chan struct{}, 100)
	var err error
	ended := lab.Go(t, func() { err = Local().Watch(ctx, func() { changed <- struct{}{} }) })
	for mtu, armed := 60000, false; !armed; mtu++ {
		lab.IP(t, fmt.Sprint("link set lo mtu ", mtu))
		select {
		case <-changed:
			armed = true
		case <-ended:
			t.Fatalf("watch ended: %v", err)
		case <-time.After(3 * quiet):
		}
	}
	for _, change := range []string{
		"link add br0 type bridge", "addr add 10.1.0.1/24 dev lo", "addr add fd01::1/64 dev lo nodad",
		"route add blackhole 10.66.0.0/16", "-6 route add unreachable fd66::/16", "link del br0",
	} {
		lab.IP(t, change)
		select {
		case <-changed:
		case <-ended:
			t.Fatalf("%s: watch ended: %v", change, err)
		}
	}
	cancel()
	<-ended
	if err != nil {
		t.Error(err)
	}
}
