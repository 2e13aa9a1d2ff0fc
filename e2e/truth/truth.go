// Package truth compares what the service says of a host with what the host's
// own tools say: dpkg-query, ss, ip, uname, os-release, getent, findmnt, lscpu,
// lsblk, sha256sum, openssl, nft, sysctl, lsmod, systemctl, stat and sshd.
//
// Both sides become records, one line of text each, by class. The tools are
// asked before and after the service, so that what changed meanwhile counts for
// neither side.
package truth

import (
	"maps"
	"slices"
)

// Class is a sort of record.
type Class string

// The classes, each with the tool that tells it.
const (
	Packages     Class = "packages"     // dpkg-query -W
	Listeners    Class = "listeners"    // ss -Htulnp
	Links        Class = "links"        // ip -j addr
	Addresses    Class = "addresses"    // ip -j addr
	Routes       Class = "routes"       // ip -j route
	Neighbours   Class = "neighbours"   // ip -j neigh
	OS           Class = "os"           // /etc/os-release
	Kernel       Class = "kernel"       // uname
	Users        Class = "users"        // getent passwd
	Mounts       Class = "mounts"       // findmnt
	Hardware     Class = "hardware"     // lscpu
	Disks        Class = "disks"        // lsblk
	Checksums    Class = "checksums"    // sha256sum
	Certificates Class = "certificates" // openssl x509
	Firewall     Class = "firewall"     // nft -j list ruleset
	Languages    Class = "languages"    // pip list, npm ls

	Sysctl          Class = "sysctl"    // sysctl -a
	Modules         Class = "modules"   // lsmod
	Vulnerabilities Class = "processor" // lscpu
	Units           Class = "units"     // systemctl list-unit-files
	Files           Class = "files"     // stat
	Sshd            Class = "sshd"      // sshd -T
)

// The same records once more, as the service's queries find them in the graph.
const (
	GraphPackages  Class = "allpackages" // assim query NAME
	GraphListeners Class = "hostipports"
	GraphAddresses Class = "allips"
)

// Classes lists all in the order in which they are shown.
var Classes = []Class{Packages, Listeners, Links, Addresses, Routes, Neighbours, OS, Kernel, Users, Mounts, Hardware, Disks, Checksums, Certificates, Firewall, Languages,
	Sysctl, Modules, Vulnerabilities, Units, Files, Sshd, GraphPackages, GraphListeners, GraphAddresses}

// Set is a set of records.
type Set map[string]bool

// Records holds the records of one side.
type Records map[Class]Set

func (r Records) add(c Class, record string) {
	if r[c] == nil {
		r[c] = Set{}
	}
	r[c][record] = true
}

// Reading is what the host's tools say at one moment.
type Reading struct {
	Must Records // the service must know them
	May  Records // the service may know them: too young, or on their way out
}

// Difference is what one class differs in.
type Difference struct {
	Missing []string // the tools know them, the service does not
	Extra   []string // the service knows them, the tools do not
}

// Count is the number of records that differ.
func (d Difference) Count() int { return len(d.Missing) + len(d.Extra) }

// Compare returns the differences of all classes. A record counts when it
// stands in both readings and not in the service, or the reverse.
func Compare(before, after Reading, service Records) map[Class]Difference {
	differences := map[Class]Difference{}
	for _, c := range Classes {
		var d Difference
		for record := range before.Must[c] {
			if after.Must[c][record] && !service[c][record] {
				d.Missing = append(d.Missing, record)
			}
		}
		for record := range service[c] {
			if !before.knows(c, record) && !after.knows(c, record) && !remembered(c) {
				d.Extra = append(d.Extra, record)
			}
		}
		slices.Sort(d.Missing)
		slices.Sort(d.Extra)
		differences[c] = d
	}
	return differences
}

func (r Reading) knows(c Class, record string) bool { return r.Must[c][record] || r.May[c][record] }

// remembered classes hold, by design, what the kernel has forgotten since: a
// neighbour is kept for neighbours.KeepAfterLastSight.
func remembered(c Class) bool { return c == Neighbours }

// DropOne returns the service's records without one of each class that both
// readings hold, so that a comparison must find exactly one difference in each
// class that has any.
func DropOne(before, after Reading, service Records) Records {
	mutated := Records{}
	for c, set := range service {
		mutated[c] = maps.Clone(set)
		for _, record := range slices.Sorted(maps.Keys(set)) {
			if before.Must[c][record] && after.Must[c][record] {
				delete(mutated[c], record)
				break
			}
		}
	}
	return mutated
}
