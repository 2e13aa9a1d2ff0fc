package estate

import (
	"fmt"

	"assimilation/discovery"
	"assimilation/discovery/certificates"
	"assimilation/discovery/containers"
	"assimilation/discovery/disks"
	"assimilation/discovery/hardware"
	"assimilation/discovery/mounts"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	osfact "assimilation/discovery/os"
	"assimilation/discovery/systemd"
	"assimilation/discovery/users"
	"assimilation/discovery/virtual"
)

// Facts are what host n reports on a day.
func (e *Estate) Facts(n, day int) ([]discovery.Fact, error) {
	h := e.Host(n)
	s := e.state(h, day)
	var facts []discovery.Fact
	type said struct {
		kind     discovery.Kind
		instance string
		body     any
	}
	all := []said{
		{osfact.Kind, "", h.release.facts()},
		{hardware.Kind, "", e.hardware(h)},
		{network.Kind, "", h.network()},
		{neighbours.Kind, "", e.neighbours(h)},
		{disks.Kind, "", e.disks(h)},
		{mounts.Kind, "", e.mounts(h)},
		{users.Kind, "", e.users(h)},
		{systemd.Kind, systemd.Running, e.units(h)},
		{certificates.Kind, "", e.certificates(h)},
	}
	if f, any := e.containers(h); any {
		all = append(all, said{containers.Kind, "", f})
	}
	if f, any := e.guests(h); any {
		all = append(all, said{virtual.Kind, "", f})
	}
	for _, f := range all {
		fact, err := discovery.NewFact(f.kind, f.instance, f.body)
		if err != nil {
			return nil, fmt.Errorf("making facts of host %s: %w", h.Name, err)
		}
		facts = append(facts, fact)
	}
	changing, err := e.changing(h, s)
	return append(facts, changing...), err
}

func (r *release) facts() osfact.Facts {
	return osfact.Facts{
		Release: osfact.Release{ID: r.id, PrettyName: r.pretty, VersionID: r.version, Codename: r.codename},
		Kernel:  osfact.Kernel{Name: "Linux", Release: r.kernel, Version: r.build, Machine: "x86_64"},
	}
}

// machines are what sites buy, and what they rent.
var machines = []hardware.Facts{
	{Machine: hardware.Machine{Vendor: "QEMU", Product: "Standard PC (Q35 + ICH9, 2009)"}, Hypervisor: "kvm", CPU: hardware.CPU{Vendor: "GenuineIntel", Model: "Intel Xeon Processor (Icelake)", Sockets: 1, Cores: 4, Threads: 4}, MemoryMiB: 8192},
	{Machine: hardware.Machine{Vendor: "VMware, Inc.", Product: "VMware Virtual Platform"}, Hypervisor: "vmware", CPU: hardware.CPU{Vendor: "GenuineIntel", Model: "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", Sockets: 2, Cores: 8, Threads: 8}, MemoryMiB: 16384},
	{Machine: hardware.Machine{Vendor: "Dell Inc.", Product: "PowerEdge R650"}, CPU: hardware.CPU{Vendor: "GenuineIntel", Model: "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", Sockets: 2, Cores: 64, Threads: 128}, MemoryMiB: 262144},
}

func (e *Estate) hardware(h Host) hardware.Facts {
	draw := e.random(forHardware, h.number).IntN(20)
	switch {
	case draw < 13:
		draw = 0
	case draw < 18:
		draw = 1
	default:
		draw = 2
	}
	f := machines[draw]
	f.Disks = []hardware.Disk{{Name: "sda", Bytes: 64 << 30, Model: "disk"}}
	if f.Hypervisor == "" {
		f.Machine.Serial = fmt.Sprintf("S%07d", h.number)
	}
	return f
}

func (h Host) network() network.Facts {
	ip := address(h.at)
	return network.Facts{
		Links: []network.Link{
			{Name: "eth0", Type: "ether", MAC: mac(h.number), MTU: 1500, AdminUp: true, OperState: "up",
				Addresses: []network.Address{{IP: ip, Prefix: 24, Scope: "global"}}},
			{Name: "lo", Type: "loopback", MTU: 65536, AdminUp: true, OperState: "unknown",
				Addresses: []network.Address{{IP: "127.0.0.1", Prefix: 8, Scope: "host"}}},
		},
		Routes: []network.Route{{Family: "inet", Table: 254, Destination: "0.0.0.0/0", Gateway: gateway(h.at), Device: "eth0", Protocol: "static", Scope: "global", Type: "unicast"}},
	}
}

// neighbours are the gateway, a host or two, and now and then something that runs
// no probe.
func (e *Estate) neighbours(h Host) neighbours.Facts {
	random := e.random(forNetwork, h.number)
	f := neighbours.Facts{Neighbours: []neighbours.Neighbour{{Device: "eth0", IP: gateway(h.at), MAC: gatewayMAC(h.Site.first%251, h.at), Router: true}}}
	subnet := h.at - h.at%subnetSize
	if peer := subnet + random.IntN(subnetSize); peer != h.at && peer < h.Site.hosts {
		f.Neighbours = append(f.Neighbours, neighbours.Neighbour{Device: "eth0", IP: address(peer), MAC: mac(h.Site.first + peer)})
	}
	if random.IntN(50) == 0 {
		f.Neighbours = append(f.Neighbours, neighbours.Neighbour{Device: "eth0", IP: gateway(h.at)[:len(gateway(h.at))-1] + "2",
			MAC: fmt.Sprintf("00:21:b7:%02x:%02x:%02x", h.Site.first%251, h.at/subnetSize>>8, h.at/subnetSize&255)}) // a printer
	}
	return f
}

func (e *Estate) mounts(h Host) mounts.Facts {
	f := mounts.Facts{Filesystems: []mounts.Filesystem{{Target: "/", Source: "/dev/sda1", Type: "ext4", Options: []string{"errors=remount-ro", "relatime"}, Bytes: 60 << 30}}}
	switch h.Role {
	case database:
		f.Filesystems = append(f.Filesystems, mounts.Filesystem{Target: "/var/lib/postgresql", Source: "/dev/mapper/data-postgres", Type: "xfs", Options: []string{"noatime"}, Bytes: 500 << 30})
	case appServer, batch:
		f.Filesystems = append(f.Filesystems, mounts.Filesystem{Target: "/srv/share", Source: fmt.Sprintf("filer%d:/export/%d", h.Site.first%7, h.app.first), Type: "nfs4",
			Options: []string{"hard", "nfsvers=4.2"}, Remote: true})
	}
	return f
}

func (e *Estate) users(h Host) users.Facts {
	f := users.Facts{
		Users:  []users.User{{Name: "root", Home: "/root", Shell: "/bin/bash", Login: true, Password: users.PasswordLocked}},
		Groups: []users.Group{{Name: "root"}},
	}
	if h.Role == appServer || h.Role == batch {
		name := fmt.Sprintf("team%d", h.app.first%97)
		f.Users = append(f.Users, users.User{Name: name, UID: 1000, GID: 1000, Home: "/home/" + name, Shell: "/bin/bash", Login: true, Password: users.PasswordSet})
		f.Groups = append(f.Groups, users.Group{Name: "sudo", GID: 27, Members: []string{name}}, users.Group{Name: name, GID: 1000})
	}
	return f
}
