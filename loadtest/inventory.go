package loadtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	osfact "assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/wire"
)

// What a small host has: a Debian server in a subnet of some 250.
const (
	packagesPerHost = 872
	variants        = 6 // of each package set, over all images
	subnet          = 250
	neighbourCount  = 12
)

// fact is one fact, ready to be sent.
type fact struct {
	digest  wire.Digest
	encoded []byte
}

// inventories makes the facts of hosts. The package sets are made once and
// shared, as they are between hosts of one image.
type inventories struct {
	sets [packages.Instances][variants]fact
	os   fact
}

func newInventories() (*inventories, error) {
	var inv inventories
	var names [packages.Instances][]string
	for i := range packagesPerHost {
		name := fmt.Sprintf("lib%s%d-%s", []string{"gnu", "xml", "perl", "systemd", "python3", "net"}[i%6], i, []string{"dev", "common", "bin"}[i%3])
		at := packages.Instance(name)[0]
		n := int(at - '0')
		if at >= 'a' {
			n = int(at-'a') + 10
		}
		names[n] = append(names[n], name)
	}
	for n := range inv.sets {
		for v := range inv.sets[n] {
			set := packages.Facts{Manager: "dpkg"}
			for i, name := range names[n] {
				version := fmt.Sprintf("%d.%d.%d-%d+deb12u%d", i%9, i%13, i%7, i%5, 1)
				if i == v { // an image differs by an upgrade here and there
					version += "+b1"
				}
				set.Packages = append(set.Packages, packages.Package{Name: name, Version: version, Arch: "amd64"})
			}
			var err error
			if inv.sets[n][v], err = newFact(packages.Kind, fmt.Sprintf("%x", n), set); err != nil {
				return nil, err
			}
		}
	}
	var err error
	inv.os, err = newFact(osfact.Kind, "", osfact.Facts{
		Release: osfact.Release{ID: "debian", Name: "Debian GNU/Linux", PrettyName: "Debian GNU/Linux 12 (bookworm)", VersionID: "12", Codename: "bookworm"},
		Kernel:  osfact.Kernel{Name: "Linux", Release: "6.1.0-25-amd64", Version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.106-3 (2024-08-26)", Machine: "x86_64"},
	})
	return &inv, err
}

func newFact(kind discovery.Kind, instance string, body any) (fact, error) {
	f, err := discovery.NewFact(kind, instance, body)
	if err != nil {
		return fact{}, err
	}
	digest := wire.Digest{Kind: f.Kind, Instance: f.Instance, Hash: f.Hash[:], Version: uint8(f.Version)}
	encoded, err := wire.Marshal(&wire.FactPut{Digest: digest, Body: f.Body, ObservedAt: time.Now().UnixMilli()})
	return fact{digest, encoded}, err
}

// of makes the facts of host n.
func (inv *inventories) of(n int, random *rand.Rand) ([]fact, error) {
	address := func(n int) string { return fmt.Sprintf("10.%d.%d.%d", 60+n/(subnet*250), n/subnet%250, 2+n%subnet) }
	mac := func(n int) string { return fmt.Sprintf("52:54:00:%02x:%02x:%02x", n>>16, n>>8&255, n&255) }
	first := n - n%subnet
	gateway := fmt.Sprintf("10.%d.%d.1", 60+n/(subnet*250), n/subnet%250)
	var near neighbours.Facts
	near.Neighbours = append(near.Neighbours, neighbours.Neighbour{Device: "eth0", IP: gateway, MAC: "52:54:ff:00:00:01"})
	for i := range neighbourCount {
		if peer := first + (n-first+1+i*7)%subnet; peer != n {
			near.Neighbours = append(near.Neighbours, neighbours.Neighbour{Device: "eth0", IP: address(peer), MAC: mac(peer)})
		}
	}
	listen := func(name, exe string, port int64, connects ...sockets.Connect) sockets.Service {
		return sockets.Service{Name: name, Exe: exe, Argv: []string{exe, "-c", "/etc/" + name + ".conf"},
			Listens:  []sockets.Listen{{Protocol: "tcp", IP: address(n), Port: port, Wildcard: "0.0.0.0"}, {Protocol: "tcp", IP: "127.0.0.1", Port: port, Wildcard: "0.0.0.0"}},
			Connects: connects}
	}
	database := address(first + n%5)
	kinds := []struct {
		kind discovery.Kind
		body any
	}{
		{network.Kind, network.Facts{
			Links: []network.Link{
				{Name: "lo", Type: "loopback", MTU: 65536, AdminUp: true, OperState: "unknown", Addresses: []network.Address{{IP: "127.0.0.1", Prefix: 8, Scope: "host"}}},
				{Name: "eth0", Type: "ether", MAC: mac(n), MTU: 1500, AdminUp: true, OperState: "up", Addresses: []network.Address{{IP: address(n), Prefix: 24, Scope: "global"}}},
			},
			Routes: []network.Route{
				{Family: "inet", Table: 254, Destination: "0.0.0.0/0", Gateway: gateway, Device: "eth0", Protocol: "dhcp", Scope: "global", Type: "unicast"},
				{Family: "inet", Table: 254, Destination: gateway[:len(gateway)-1] + "0/24", Device: "eth0", Source: address(n), Protocol: "kernel", Scope: "link", Type: "unicast"},
			},
		}},
		{neighbours.Kind, near},
		{sockets.Kind, sockets.Facts{Services: []sockets.Service{
			listen("sshd", "/usr/sbin/sshd", 22), listen("nginx", "/usr/sbin/nginx", 443),
			listen("app", "/opt/app/bin/app", 8080, sockets.Connect{Protocol: "tcp", IP: database, Port: 5432}),
			listen("postgres", "/usr/lib/postgresql/17/bin/postgres", 5432),
			listen("node_exporter", "/usr/bin/prometheus-node-exporter", 9100),
		}}},
	}
	facts := []fact{inv.os}
	for _, k := range kinds {
		f, err := newFact(k.kind, "", k.body)
		if err != nil {
			return nil, err
		}
		facts = append(facts, f)
	}
	for i := range inv.sets {
		v := 0
		if random.IntN(10) == 0 {
			v = random.IntN(variants)
		}
		facts = append(facts, inv.sets[i][v])
	}
	return facts, nil
}
