// Package truth compares what the service says of a host with what the host's
// own tools say: dpkg-query, ss, ip, lsblk, sha256sum, openssl, nft, systemctl,
// sshd and the like. Where no tool says what a file means, awk reads it.
//
// Both sides become records, one line of text each, by class. The tools are
// asked before and after the service, so that what changed meanwhile counts for
// neither side.
package truth

import (
	"maps"
	"slices"
	"strings"
)

// Class is a sort of record.
type Class string

// The classes, each with the tool that tells it.
const (
	Packages     Class = "packages"     // dpkg-query -W
	Listeners    Class = "listeners"    // ss -Htulnp
	Running      Class = "running"      // ss -Htlnp, /proc/PID/maps
	Commands     Class = "commands"     // find, getcap
	Containers   Class = "containers"   // docker, podman inspect
	Links        Class = "links"        // ip -j addr
	Addresses    Class = "addresses"    // ip -j addr
	Routes       Class = "routes"       // ip -j route
	Neighbours   Class = "neighbours"   // ip -j neigh
	OS           Class = "os"           // /etc/os-release
	Kernel       Class = "kernel"       // uname
	Users        Class = "users"        // getent passwd
	Groups       Class = "groups"       // getent group
	Passwords    Class = "passwords"    // passwd -S
	Sudoers      Class = "sudoers"      // cvtsudoers
	Mounts       Class = "mounts"       // findmnt
	Hardware     Class = "hardware"     // lscpu, lsmem, systemd-detect-virt
	Disks        Class = "disks"        // lsblk
	Contents     Class = "contents"     // lsblk, blkid
	Checksums    Class = "checksums"    // sha256sum
	Certificates Class = "certificates" // openssl x509
	Served       Class = "served"       // openssl s_client
	Firewall     Class = "firewall"     // nft -j list ruleset
	Rules        Class = "rules"        // nft --debug=netlink, iptables-save
	Pip          Class = "pip"          // pip list
	Npm          Class = "npm"          // npm ls -g
	Gem          Class = "gem"          // gem list
	Go           Class = "go"           // go version -m

	Sysctl          Class = "sysctl"     // sysctl -a
	Modules         Class = "modules"    // lsmod
	Vulnerabilities Class = "processor"  // lscpu
	Units           Class = "units"      // systemctl list-unit-files
	Files           Class = "files"      // stat
	Attributes      Class = "attributes" // getfacl, getfattr, lsattr
	Sshd            Class = "sshd"       // sshd -T
	HostKeys        Class = "host keys"  // ssh-keygen -l
	Pam             Class = "pam"        // awk, as the next five
	Nsswitch        Class = "nsswitch"
	LoginDefs       Class = "logindefs"
	Limits          Class = "limits"
	Audit           Class = "auditd"
	Resolver        Class = "dns"
	Clock           Class = "time" // readlink, chronyd -p
	Cron            Class = "cron" // awk, run-parts --test, atq
)

// The same records once more, as the service's queries find them in the graph.
const (
	GraphPackages  Class = "allpackages" // assim query NAME
	GraphListeners Class = "hostipports"
	GraphAddresses Class = "allips"
)

// Classes lists all in the order in which they are shown.
var Classes = []Class{
	Packages, Listeners, Running, Commands, Containers, Links, Addresses, Routes, Neighbours, OS, Kernel, Users, Groups, Passwords, Sudoers,
	Mounts, Hardware, Disks, Contents, Checksums, Certificates, Served, Firewall, Rules, Pip, Npm, Gem, Go,
	Sysctl, Modules, Vulnerabilities, Units, Files, Attributes, Sshd, HostKeys, Pam, Nsswitch, LoginDefs, Limits, Audit, Resolver, Clock, Cron,
	GraphPackages, GraphListeners, GraphAddresses,
}

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
	// Unasked are the classes of which nothing can be told here, and why.
	Unasked map[Class]string
}

func newReading() Reading { return Reading{Records{}, Records{}, map[Class]string{}} }

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
		if before.Unasked[c] != "" || after.Unasked[c] != "" {
			differences[c] = d
			continue
		}
		for record := range before.Must[c] {
			if after.Must[c][record] && !service[c][record] {
				d.Missing = append(d.Missing, record)
			}
		}
		for record := range service[c] {
			if !before.knows(c, record) && !after.knows(c, record) && !remembered(c) && !ended(c, record, before, after) {
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

// ended reports whether a record is of a program or library that did not run any
// more when the tools were asked, which the service learns at the kind's next collection.
func ended(c Class, record string, readings ...Reading) bool {
	if c != Running && c != Checksums && c != Go {
		return false
	}
	program := programOf(c, record)
	for _, r := range readings {
		for _, records := range []Records{r.Must, r.May} {
			for known := range records[c] {
				if programOf(c, known) == program {
					return false
				}
			}
		}
	}
	return true
}

// programOf is the file that a record is about: what a program is built of names it
// last.
func programOf(c Class, record string) string {
	if c == Go {
		return record[strings.LastIndexByte(record, ' ')+1:]
	}
	program, _, _ := strings.Cut(record, " ")
	return program
}

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
