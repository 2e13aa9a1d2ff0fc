package estate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"assimilation/discovery/certificates"
	"assimilation/discovery/containers"
	"assimilation/discovery/disks"
	"assimilation/discovery/processes"
	"assimilation/discovery/sockets"
	"assimilation/discovery/systemd"
	"assimilation/discovery/virtual"
)

// What runs within hosts.
const (
	clusterSize   = 20 // neighbouring hosts, of which the first real machine runs the virtual ones
	containersApp = 7  // of so many applications, one runs in containers
	mostOnHost    = 12 // containers
)

// unitsOf are the units that start services.
var unitsOf = map[string]string{
	"sshd": "ssh.service", "rsyslogd": "rsyslog.service", "prometheus-node": "prometheus-node-exporter.service", "debug": "debug.service",
	"haproxy": "haproxy.service", "nginx": "nginx.service", "java": "app.service", "postgres": "postgresql@16-main.service",
	"redis-server": "redis-server.service", "beam.smp": "rabbitmq-server.service", "python3.11": "batch.service",
}

// units are those of the services, and what else runs everywhere. One host in
// thirty has one that should run and does not.
func (e *Estate) units(h Host) systemd.Facts {
	f := systemd.Facts{Running: []string{"assim-probe.service", "cron.service", "dbus.service", "getty@tty1.service",
		"systemd-journald.service", "systemd-logind.service", "systemd-udevd.service", "unattended-upgrades.service"}}
	for _, s := range e.services(h, false).Services {
		f.Running = append(f.Running, unitsOf[s.Name])
	}
	slices.Sort(f.Running)
	f.Running = slices.Compact(f.Running)
	if e.random(forWithin, h.number).IntN(30) == 0 {
		f.Stopped = []string{"backup-agent.service"}
	}
	return f
}

// processes are what the services are made of. One in two hundred waits for a
// restart.
func (e *Estate) processes(h Host, services []sockets.Service) processes.Facts {
	random := e.random(forWithin, h.number)
	f := processes.Facts{}
	for _, s := range services {
		p := processes.Process{Name: s.Name, Exe: s.Exe, Argv: s.Argv, UID: s.UID, GID: s.GID, Libraries: librariesOf(s.Name)}
		if unit := unitsOf[s.Name]; unit != "debug.service" { // that one was started by hand
			p.Units = []string{unit}
		}
		if random.IntN(200) == 0 {
			p.Stale = p.Libraries[:1]
		}
		f.Processes = append(f.Processes, p)
	}
	slices.SortFunc(f.Processes, func(a, b processes.Process) int {
		return cmp.Or(cmp.Compare(a.Exe, b.Exe), slices.Compare(a.Argv, b.Argv))
	})
	return f
}

func (e *Estate) disks(h Host) disks.Facts {
	f := disks.Facts{Devices: []disks.Device{
		{Name: "sda", Type: "disk", Bytes: 64 << 30},
		{Name: "sda1", Type: "part", Bytes: 60 << 30, On: []string{"sda"}, Content: "ext4"},
		{Name: "sda2", Type: "part", Bytes: 4 << 30, On: []string{"sda"}, Content: "swap"},
	}}
	if h.Role == database {
		f.Devices = append(f.Devices, disks.Device{Name: "dm-0", Type: "lvm", Mapped: "data-postgres", Bytes: 500 << 30, On: []string{"sdb"}, Content: "xfs"},
			disks.Device{Name: "sdb", Type: "disk", Bytes: 512 << 30, Content: "LVM2_member"})
	}
	slices.SortFunc(f.Devices, func(a, b disks.Device) int { return cmp.Compare(a.Name, b.Name) })
	return f
}

// certificates are the application's, where TLS ends, and on a third of all hosts
// the one that its installation made.
func (e *Estate) certificates(h Host) certificates.Facts {
	f := certificates.Facts{Certificates: []certificates.Certificate{}}
	add := func(name, path string, days int, own bool) {
		sum := sha256.Sum256([]byte(fmt.Sprint(e.seed, name)))
		c := certificates.Certificate{SHA256: hex.EncodeToString(sum[:]), Paths: []string{path}, Subject: "CN=" + name, Issuer: "CN=Corporate CA 2",
			Names: []string{"DNS:" + name}, Serial: hex.EncodeToString(sum[:8]), NotBefore: "2026-01-01T00:00:00Z",
			NotAfter: fmt.Sprintf("20%02d-%02d-01T00:00:00Z", 26+days/360, 1+days/30%12), Key: "ec", Bits: 256, Signature: "ecdsa-with-SHA256", OwnIssuer: own}
		if own {
			c.Issuer, c.Key, c.Bits, c.Signature = c.Subject, "rsa", 2048, "sha256WithRSAEncryption"
		}
		f.Certificates = append(f.Certificates, c)
	}
	if h.Role == balancer || h.Role == web {
		app := h.Site.first + h.app.first
		add(fmt.Sprintf("app%d.example.com", app), "/etc/ssl/private/site.pem", 330+app%400, false)
	}
	if e.random(forWithin, h.number).IntN(3) == 0 {
		add(h.Name, "/etc/ssl/certs/ssl-cert-snakeoil.pem", 3600, true)
	}
	slices.SortFunc(f.Certificates, func(a, b certificates.Certificate) int { return cmp.Compare(a.SHA256, b.SHA256) })
	return f
}

// containers are those of an application that runs in some, on its batch hosts.
func (e *Estate) containers(h Host) (f containers.Facts, any bool) {
	app := h.Site.first + h.app.first
	if h.Role != batch || e.id("app", app)[3]%containersApp != 0 {
		return f, false
	}
	random := e.random(forWithin, h.number)
	for i := range 1 + random.IntN(mostOnHost) {
		id := sha256.Sum256([]byte(fmt.Sprint(e.seed, "container", h.number, i)))
		image := sha256.Sum256([]byte(fmt.Sprint(e.seed, "image", app, i%4)))
		f.Containers = append(f.Containers, containers.Container{
			ID: hex.EncodeToString(id[:]), Engine: "docker", Name: fmt.Sprintf("worker-%d", i), State: "running", Restart: "always",
			Image: fmt.Sprintf("registry.example.com/app%d/worker%d:1.4", app, i%4), ImageID: "sha256:" + hex.EncodeToString(image[:]),
			Networks: []containers.Network{{Name: "bridge", IP: fmt.Sprintf("172.17.0.%d", i+2)}},
		})
	}
	slices.SortFunc(f.Containers, func(a, b containers.Container) int { return cmp.Compare(a.ID, b.ID) })
	return f, true
}

// guests are the virtual hosts of a cluster, on its first real machine.
func (e *Estate) guests(h Host) (f virtual.Facts, any bool) {
	first := h.at - h.at%clusterSize
	real := false // whether a machine was met
	for at := first; at < min(first+clusterSize, h.Site.hosts); at++ {
		n := h.Site.first + at
		switch machine := e.hardware(Host{number: n}); {
		case machine.Hypervisor == "" && !real:
			if real = true; n != h.number {
				return f, false
			}
		case machine.Hypervisor == "kvm":
			id := e.id("guest", n).String()
			f.Guests = append(f.Guests, virtual.Guest{ID: id, Name: e.Host(n).Name, Manager: "libvirt", Type: "kvm", State: "running", Autostart: true,
				CPUs: machine.CPU.Threads, Memory: machine.MemoryMiB << 20, NICs: []virtual.NIC{{MAC: mac(n), Bridge: "br0", Model: "virtio"}}})
		}
	}
	slices.SortFunc(f.Guests, func(a, b virtual.Guest) int { return cmp.Compare(a.ID, b.ID) })
	return f, real && len(f.Guests) > 0 && h.at < h.Site.hosts
}
