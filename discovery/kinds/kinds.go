// Package kinds lists all kinds, without their halves: for who must know what is
// in a fact and neither makes nor projects it.
package kinds

import (
	"assimilation/discovery"
	"assimilation/discovery/auditd"
	"assimilation/discovery/certificates"
	"assimilation/discovery/checksums"
	"assimilation/discovery/cloud"
	"assimilation/discovery/commands"
	"assimilation/discovery/containers"
	"assimilation/discovery/cron"
	"assimilation/discovery/disks"
	"assimilation/discovery/dns"
	"assimilation/discovery/fileattrs"
	"assimilation/discovery/firewall"
	"assimilation/discovery/hardware"
	"assimilation/discovery/kernel"
	"assimilation/discovery/kubernetes"
	languagepackages "assimilation/discovery/language-packages"
	"assimilation/discovery/limits"
	"assimilation/discovery/logindefs"
	"assimilation/discovery/mounts"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/nsswitch"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/pam"
	"assimilation/discovery/processes"
	"assimilation/discovery/scripts"
	"assimilation/discovery/seen"
	"assimilation/discovery/sockets"
	"assimilation/discovery/sshd"
	"assimilation/discovery/sudoers"
	"assimilation/discovery/switchport"
	"assimilation/discovery/sysctl"
	"assimilation/discovery/systemd"
	"assimilation/discovery/time"
	"assimilation/discovery/users"
	"assimilation/discovery/virtual"
)

// All lists them.
func All() []discovery.Kind {
	return []discovery.Kind{
		os.Kind, hardware.Kind, network.Kind, neighbours.Kind, sockets.Kind, mounts.Kind, users.Kind, packages.Kind,
		switchport.Kind, seen.Kind, sshd.Kind,
		containers.Kind, sysctl.Kind, kernel.Kind,
		disks.Kind, systemd.Kind, cron.Kind,
		certificates.Kind, sudoers.Kind, pam.Kind, logindefs.Kind, nsswitch.Kind, auditd.Kind, limits.Kind,
		checksums.Kind, dns.Kind, time.Kind, fileattrs.Kind,
		firewall.Kind,
		languagepackages.Kind,
		scripts.Kind,
		processes.Kind, virtual.Kind, kubernetes.Kind, cloud.Kind, commands.Kind,
	}
}

// ByName returns the kind of that name.
func ByName(name string) (discovery.Kind, bool) {
	for _, k := range All() {
		if k.Name == name {
			return k, true
		}
	}
	return discovery.Kind{}, false
}
