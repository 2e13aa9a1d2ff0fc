package truth

import (
	"os"
	"strconv"

	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	osfact "assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
)

// ReadService asks the service about a host, by the tenant's command line.
func ReadService(assim, host string) (Records, error) {
	r := Records{}
	for _, read := range []func(string, string, Records) error{
		servicePackages, serviceListeners, serviceProcesses, serviceCommands, serviceContainers, serviceNetwork, serviceNeighbours, serviceOS,
		serviceUsers, serviceAccounts, serviceSudoers, serviceMounts, serviceHardware,
		serviceSysctl, serviceKernel, serviceUnits, serviceFiles, serviceAttributes, serviceSshd,
		serviceDisks, serviceContents, serviceChecksums, serviceCertificates, serviceServed, serviceFirewall, serviceRules, serviceLanguages,
		servicePolicies, serviceResolver, serviceClock, serviceCron,
		graphPackages, graphListeners, graphAddresses,
	} {
		if err := read(assim, host, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// bodies returns what the service holds of one kind.
func bodies[Body any](assim, host, kind string) ([]Body, error) {
	var facts []struct {
		Body Body `json:"body"`
	}
	if err := outputJSON(&facts, assim, "host", "facts", host, kind, "-o", "json"); err != nil {
		return nil, err
	}
	all := make([]Body, len(facts))
	for i, f := range facts {
		all[i] = f.Body
	}
	return all, nil
}

func servicePackages(assim, host string, r Records) error {
	facts, err := bodies[packages.Facts](assim, host, packages.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, p := range f.Packages {
			r.add(Packages, packageRecord(p.Name, p.Version, p.Arch))
		}
	}
	return nil
}

func serviceListeners(assim, host string, r Records) error {
	facts, err := bodies[sockets.Facts](assim, host, sockets.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, s := range f.Services {
			exe := s.Exe
			if os.Geteuid() != 0 {
				exe = "" // see owners
			}
			for _, l := range s.Listens {
				r.add(Listeners, listenerRecord(l.Protocol, l.IP, int(l.Port), exe))
			}
		}
	}
	return nil
}

func serviceNetwork(assim, host string, r Records) error {
	facts, err := bodies[network.Facts](assim, host, network.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, l := range f.Links {
			mac := l.MAC
			if l.Type != "ether" {
				mac = ""
			}
			r.add(Links, linkRecord(l.Name, mac, l.MTU, l.AdminUp, l.OperState, l.Master))
			for _, a := range l.Addresses {
				r.add(Addresses, addressRecord(l.Name, a.IP, a.Prefix)+" "+a.Scope)
			}
		}
		for _, route := range f.Routes {
			var hops []string
			for _, h := range route.NextHops {
				hops = append(hops, hopRecord(h.Gateway, h.Device, h.Weight))
			}
			r.add(Routes, routeRecord(route.Family, strconv.FormatInt(route.Table, 10), route.Destination, route.Gateway,
				route.Device, route.Source, route.Metric, route.Type, hops))
		}
	}
	return nil
}

func serviceNeighbours(assim, host string, r Records) error {
	facts, err := bodies[neighbours.Facts](assim, host, neighbours.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, n := range f.Neighbours {
			r.add(Neighbours, neighbourRecord(n.Device, n.IP, n.MAC))
		}
	}
	return nil
}

func serviceOS(assim, host string, r Records) error {
	facts, err := bodies[osfact.Facts](assim, host, osfact.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		release := f.Release
		for field, value := range map[string]string{
			"ID": release.ID, "ID_LIKE": release.IDLike, "NAME": release.Name, "PRETTY_NAME": release.PrettyName,
			"VERSION": release.Version, "VERSION_ID": release.VersionID, "VERSION_CODENAME": release.Codename,
			"VARIANT": release.Variant, "BUILD_ID": release.BuildID, "IMAGE_ID": release.ImageID, "IMAGE_VERSION": release.ImageVersion,
		} {
			if value != "" {
				r.add(OS, field+"="+value)
			}
		}
		r.add(Kernel, "name "+f.Kernel.Name)
		r.add(Kernel, "release "+f.Kernel.Release)
		r.add(Kernel, "version "+f.Kernel.Version)
		r.add(Kernel, "machine "+f.Kernel.Machine)
	}
	return nil
}
