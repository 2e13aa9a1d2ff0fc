package collectors

import (
	"assimilation/discovery"
	auditd "assimilation/discovery/auditd/collect"
	certificates "assimilation/discovery/certificates/collect"
	checksums "assimilation/discovery/checksums/collect"
	cloud "assimilation/discovery/cloud/collect"
	commands "assimilation/discovery/commands/collect"
	containers "assimilation/discovery/containers/collect"
	cron "assimilation/discovery/cron/collect"
	disks "assimilation/discovery/disks/collect"
	dns "assimilation/discovery/dns/collect"
	fileattrs "assimilation/discovery/fileattrs/collect"
	firewall "assimilation/discovery/firewall/collect"
	hardware "assimilation/discovery/hardware/collect"
	kernel "assimilation/discovery/kernel/collect"
	kubernetes "assimilation/discovery/kubernetes/collect"
	languagepackages "assimilation/discovery/language-packages/collect"
	limits "assimilation/discovery/limits/collect"
	logindefs "assimilation/discovery/logindefs/collect"
	mounts "assimilation/discovery/mounts/collect"
	neighbours "assimilation/discovery/neighbours/collect"
	network "assimilation/discovery/network/collect"
	nsswitch "assimilation/discovery/nsswitch/collect"
	os "assimilation/discovery/os/collect"
	packages "assimilation/discovery/packages/collect"
	pam "assimilation/discovery/pam/collect"
	processes "assimilation/discovery/processes/collect"
	scripts "assimilation/discovery/scripts/collect"
	seen "assimilation/discovery/seen/collect"
	sockets "assimilation/discovery/sockets/collect"
	sshd "assimilation/discovery/sshd/collect"
	sudoers "assimilation/discovery/sudoers/collect"
	switchport "assimilation/discovery/switchport/collect"
	sysctl "assimilation/discovery/sysctl/collect"
	systemd "assimilation/discovery/systemd/collect"
	time "assimilation/discovery/time/collect"
	users "assimilation/discovery/users/collect"
	virtual "assimilation/discovery/virtual/collect"
)

// All returns a new collector of this host for every kind, those that say most
// about the host first.
func All(options Options) []discovery.Collector {
	return []discovery.Collector{
		os.Local(),
		hardware.Local(),
		cloud.Local(options.CloudMetadata),
		network.Local(),
		switchport.Local(),
		neighbours.Local(),
		seen.Local(),
		sockets.Local(),
		processes.Local(),
		mounts.Local(),
		users.Local(),
		sshd.Local(),
		sysctl.Local(),
		kernel.Local(),
		systemd.Local(),
		cron.Local(),
		sudoers.Local(),
		pam.Local(),
		logindefs.Local(),
		nsswitch.Local(),
		auditd.Local(),
		limits.Local(),
		dns.Local(),
		time.Local(),
		fileattrs.Local(),
		packages.Local(),
		containers.Local(),
		virtual.Local(),
		kubernetes.Local(),
		disks.Local(),
		certificates.Local(options.Hello),
		checksums.Local(),
		firewall.Local(),
		languagepackages.Local(),
		commands.Local(),
		scripts.Local(),
	}
}
