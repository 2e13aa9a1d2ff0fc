// Package projectors lists the projectors of all kinds. A kind that is not
// listed has facts and history but no elements; those of script agents have a
// projector in common.
package projectors

import (
	"assimilation/discovery"
	certificates "assimilation/discovery/certificates/project"
	checksums "assimilation/discovery/checksums/project"
	containers "assimilation/discovery/containers/project"
	disks "assimilation/discovery/disks/project"
	hardware "assimilation/discovery/hardware/project"
	kubernetes "assimilation/discovery/kubernetes/project"
	mounts "assimilation/discovery/mounts/project"
	neighbours "assimilation/discovery/neighbours/project"
	network "assimilation/discovery/network/project"
	os "assimilation/discovery/os/project"
	packages "assimilation/discovery/packages/project"
	processes "assimilation/discovery/processes/project"
	scripts "assimilation/discovery/scripts/project"
	seen "assimilation/discovery/seen/project"
	sockets "assimilation/discovery/sockets/project"
	switchport "assimilation/discovery/switchport/project"
	systemd "assimilation/discovery/systemd/project"
	users "assimilation/discovery/users/project"
	virtual "assimilation/discovery/virtual/project"
)

// All lists them in the order in which a host is projected: a kind before those
// that lean on it.
func All() []discovery.Projector {
	return []discovery.Projector{
		os.Projector{},
		hardware.Projector{},
		network.Projector{},
		switchport.Projector{},
		neighbours.Projector{},
		seen.Projector{},
		containers.Projector{},
		kubernetes.Projector{},
		virtual.Projector{},
		sockets.Projector{},
		systemd.Projector{},
		processes.Projector{},
		disks.Projector{},
		mounts.Projector{},
		checksums.Projector{},
		certificates.Projector{},
		users.Projector{},
		packages.Projector{},
	}
}

// ByKind returns the projector of a kind.
func ByKind(name string) (discovery.Projector, bool) {
	for _, p := range All() {
		if p.Kind().Name == name {
			return p, true
		}
	}
	if discovery.IsScript(name) {
		return scripts.Projector{Of: name}, true
	}
	return nil, false
}
