package truth

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

type ipLink struct {
	Name      string   `json:"ifname"`
	Link      string   `json:"link"`   // parent
	Master    string   `json:"master"` // bridge or bond
	Flags     []string `json:"flags"`
	MTU       int64    `json:"mtu"`
	State     string   `json:"operstate"`
	Type      string   `json:"link_type"`
	MAC       string   `json:"address"`
	Addresses []struct {
		Local  string `json:"local"`
		Prefix int64  `json:"prefixlen"`
		Scope  string `json:"scope"`
	} `json:"addr_info"`
}

func readLinks() ([]ipLink, error) {
	var links []ipLink
	err := outputJSON(&links, "ip", "-j", "addr")
	return links, err
}

func readNetwork(r Reading) error {
	links, err := readLinks()
	if err != nil {
		return err
	}
	for _, l := range links {
		mac := l.MAC
		if l.Type != "ether" || mac == "00:00:00:00:00:00" {
			mac = "" // ip prints tunnel end points there too
		}
		r.Must.add(Links, linkRecord(l.Name, mac, l.MTU, slices.Contains(l.Flags, "UP"), strings.ToLower(l.State), l.Master))
		for _, a := range l.Addresses {
			if a.Local != "" {
				record := addressRecord(l.Name, a.Local, a.Prefix)
				r.Must.add(Addresses, record+" "+a.Scope)
				r.Must.add(GraphAddresses, record)
			}
		}
	}
	for _, family := range []struct{ flag, name, any string }{{"-4", "inet", "0.0.0.0/0"}, {"-6", "inet6", "::/0"}} {
		var routes []ipRoute
		if err := outputJSON(&routes, "ip", family.flag, "-j", "-N", "route", "show", "table", "all"); err != nil {
			return err
		}
		for _, route := range routes {
			if record, ok := route.record(family.name, family.any); ok {
				r.Must.add(Routes, record)
			}
		}
	}
	return nil
}

func linkRecord(name, mac string, mtu int64, up bool, state, master string) string {
	return fmt.Sprintf("%s mac=%s mtu=%d up=%v state=%s master=%s", name, mac, mtu, up, state, master)
}

func addressRecord(link, ip string, prefix int64) string {
	return fmt.Sprintf("%s %s/%d", link, ip, prefix)
}

// ipRoute is a route as `ip -N` prints it: tables, protocols and scopes are
// numbers, each left out where it is the default.
type ipRoute struct {
	Type    string      `json:"type"`
	Dst     string      `json:"dst"`
	Gateway string      `json:"gateway"`
	Via     *ipVia      `json:"via"` // gateway of the other family
	Dev     string      `json:"dev"`
	Table   json.Number `json:"table"`
	Source  string      `json:"prefsrc"`
	Metric  int64       `json:"metric"`
	Flags   []string    `json:"flags"`
	Hops    []struct {
		Gateway string `json:"gateway"`
		Via     *ipVia `json:"via"`
		Dev     string `json:"dev"`
		Weight  int64  `json:"weight"`
	} `json:"nexthops"`
}

type ipVia struct {
	Host string `json:"host"`
}

// The local table (rtnetlink(7)) holds what the addresses imply.
const localTable, mainTable = "255", "254"

func (route ipRoute) record(family, any string) (string, bool) {
	table := route.Table.String()
	if table == "" {
		table = mainTable
	}
	if table == localTable || slices.Contains(route.Flags, "cached") {
		return "", false
	}
	dst := route.Dst
	if dst == "default" {
		dst = any
	}
	if ip, err := netip.ParseAddr(dst); err == nil {
		dst = netip.PrefixFrom(ip, ip.BitLen()).String()
	}
	var hops []string
	for _, h := range route.Hops {
		hops = append(hops, hopRecord(gateway(h.Gateway, h.Via), h.Dev, h.Weight))
	}
	kind := route.Type
	if kind == "" || kind == "1" {
		kind = "unicast"
	}
	return routeRecord(family, table, dst, gateway(route.Gateway, route.Via), route.Dev, route.Source, route.Metric, kind, hops), true
}

func gateway(direct string, via *ipVia) string {
	if via != nil {
		return via.Host
	}
	return direct
}

func hopRecord(gateway, device string, weight int64) string {
	return fmt.Sprintf("(%s %s %d)", gateway, device, weight)
}

func routeRecord(family, table, dst, gateway, device, source string, metric int64, kind string, hops []string) string {
	slices.Sort(hops)
	return fmt.Sprintf("%s table=%s %s via=%s dev=%s src=%s metric=%d %s %s",
		family, table, dst, gateway, device, source, metric, kind, strings.Join(hops, " "))
}

func readNeighbours(r Reading) error {
	var neighbours []struct {
		IP    string   `json:"dst"`
		Dev   string   `json:"dev"`
		MAC   string   `json:"lladdr"`
		State []string `json:"state"`
	}
	if err := outputJSON(&neighbours, "ip", "-j", "neigh"); err != nil {
		return err
	}
	for _, n := range neighbours {
		if n.MAC == "" {
			continue
		}
		record := neighbourRecord(n.Dev, n.IP, n.MAC)
		if slices.Contains(n.State, "REACHABLE") || slices.Contains(n.State, "STALE") {
			r.Must.add(Neighbours, record)
		} else {
			r.May.add(Neighbours, record)
		}
	}
	return nil
}

func neighbourRecord(device, ip, mac string) string { return device + " " + ip + " " + mac }
