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

// Worded is All with the words by which differences are told. A kind without
// any is told by its paths.
func Worded() []discovery.Kind {
	words := map[string][]discovery.Words{
		os.Kind.Name: os.Words, hardware.Kind.Name: hardware.Words, network.Kind.Name: network.Words, neighbours.Kind.Name: neighbours.Words,
		sockets.Kind.Name: sockets.Words, mounts.Kind.Name: mounts.Words, users.Kind.Name: users.Words, packages.Kind.Name: packages.Words,
		switchport.Kind.Name: switchport.Words, seen.Kind.Name: seen.Words, sshd.Kind.Name: sshd.Words,
		containers.Kind.Name: containers.Words, sysctl.Kind.Name: sysctl.Words, kernel.Kind.Name: kernel.Words,
		disks.Kind.Name: disks.Words, systemd.Kind.Name: systemd.Words, cron.Kind.Name: cron.Words,
		certificates.Kind.Name: certificates.Words, sudoers.Kind.Name: sudoers.Words, pam.Kind.Name: pam.Words, logindefs.Kind.Name: logindefs.Words,
		nsswitch.Kind.Name: nsswitch.Words, auditd.Kind.Name: auditd.Words, limits.Kind.Name: limits.Words,
		checksums.Kind.Name: checksums.Words, dns.Kind.Name: dns.Words, time.Kind.Name: time.Words, fileattrs.Kind.Name: fileattrs.Words,
		processes.Kind.Name: processes.Words, virtual.Kind.Name: virtual.Words, kubernetes.Kind.Name: kubernetes.Words, cloud.Kind.Name: cloud.Words,
		commands.Kind.Name: commands.Words, scripts.Kind.Name: scripts.Words,
		firewall.Kind.Name: firewall.Words, languagepackages.Kind.Name: languagepackages.Words,
	}
	all := All()
	for i := range all {
		all[i].Words = words[all[i].Name]
	}
	return all
}
